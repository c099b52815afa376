# The client of the benchmark, always BEAM: measures each target in turn, round by round, and prints
# `ROW TARGET VALUE` for each measurement. Arguments: ROUNDS MILLISECONDS ONLY NODE... (ONLY: the rows whose names contain it).
defmodule BenchClient do
  @rows [
    {"calls/s, 1 caller", :calls, 1},
    {"calls/s, 16 callers", :calls, 16},
    {"calls/s, 128 callers", :calls, 128},
    {"messages/s, one way", :messages, 100_000},
    {"MB/s, echo of 64 KiB", :echo, 64 * 1024},
    {"MB/s, echo of 1 MiB", :echo, 1024 * 1024}
  ]

  def main([rounds, ms, only | nodes]) do
    rows = Enum.filter(@rows, fn {name, _kind, _size} -> String.contains?(name, only) end)
    nodes = Enum.map(nodes, &String.to_atom/1)
    ms = String.to_integer(ms)
    for node <- nodes, do: ready(node)
    for {_name, kind, size} <- rows, node <- nodes, do: measure(kind, size, node, div(ms, 2))

    for _ <- 1..String.to_integer(rounds), {name, kind, size} <- rows, node <- nodes do
      IO.puts("#{name}\t#{node}\t#{measure(kind, size, node, ms)}")
    end
  end

  # Asks until the server answers, for ten seconds.
  defp ready(node, tries \\ 500) do
    GenServer.call({:bench, node}, :count, 1000)
  catch
    :exit, reason when tries == 0 -> exit({:no_answer_from, node, reason})
    :exit, _ -> Process.sleep(20) && ready(node, tries - 1)
  end

  defp measure(:calls, callers, node, ms) do
    {calls, seconds} = timed(callers, ms, fn -> 0 = GenServer.call({:bench, node}, {:echo, 0}, :infinity) end)
    calls / seconds
  end

  defp measure(:echo, size, node, ms) do
    payload = :binary.copy(<<7>>, size)

    {calls, seconds} =
      timed(1, ms, fn -> ^payload = GenServer.call({:bench, node}, {:echo, payload}, :infinity) end)

    calls * size / seconds / 1.0e6
  end

  defp measure(:messages, number, node, _ms) do
    GenServer.call({:bench, node}, :count, :infinity)
    from = System.monotonic_time()
    for n <- 1..number, do: send({:bench, node}, {:tick, n})
    ^number = GenServer.call({:bench, node}, :count, :infinity)
    number / seconds_since(from)
  end

  # Runs `work` again and again in `callers` processes until the time is over; {how often, seconds}.
  defp timed(callers, ms, work) do
    from = System.monotonic_time()
    until = from + System.convert_time_unit(ms, :millisecond, :native)
    tasks = for _ <- 1..callers, do: Task.async(fn -> repeat(work, until, 0) end)
    calls = tasks |> Enum.map(&Task.await(&1, :infinity)) |> Enum.sum()
    {calls, seconds_since(from)}
  end

  defp repeat(work, until, done) do
    work.()
    if System.monotonic_time() < until, do: repeat(work, until, done + 1), else: done + 1
  end

  defp seconds_since(from) do
    System.convert_time_unit(System.monotonic_time() - from, :native, :microsecond) / 1.0e6
  end
end

BenchClient.main(System.argv())
