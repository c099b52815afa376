# The eyes of the tests: a hidden BEAM node that evaluates what the launcher sends over a socket of the loopback.
# A request is <<Id:32, Code/binary>>, its answer <<Id:32, Status:8, Text/binary>> (0: the inspected value, 1: an error).
defmodule Observer do
  def main(port) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, packet: 4, active: true, nodelay: true])
    serve(socket)
  end

  defp serve(socket) do
    receive do
      {:tcp, ^socket, <<id::32, code::binary>>} ->
        spawn(fn -> :ok = :gen_tcp.send(socket, [<<id::32>> | answer(code)]) end)
        serve(socket)

      {:tcp_closed, ^socket} ->
        :erlang.halt(0)
    end
  end

  defp answer(code) do
    {value, _} = Code.eval_string(code)
    [0, inspect(value, limit: :infinity, printable_limit: :infinity, width: :infinity)]
  catch
    kind, reason -> [1, Exception.format(kind, reason)]
  end

  @doc "Evaluates Elixir code on a BEAM node."
  def eval(node, code, timeout \\ 10_000) do
    {value, _} = :erpc.call(node, Code, :eval_string, [code], timeout)
    value
  end

  @doc "Calls the calculator from `node` until it answers; {when, answer, refusals} with the time in ms."
  def first_answer(node, x, y, timeout) do
    first_answer(node, x, y, System.os_time(:millisecond) + timeout, 0)
  end

  defp first_answer(node, x, y, deadline, refused) do
    case call(node, x, y) do
      {:ok, answer} ->
        {System.os_time(:millisecond), answer, refused}

      {:error, reason} ->
        if System.os_time(:millisecond) > deadline, do: exit({:no_answer, reason})
        Process.sleep(3)
        first_answer(node, x, y, deadline, refused + 1)
    end
  end

  @doc "Calls the calculator from `node` without end, until `watched` asks how it went."
  def watch(node) do
    none = %{answered: 0, refused: 0, wrong: 0, longest_ms: 0, reasons: []}
    watcher = spawn(fn -> watching(node, now(), none) end)
    Process.register(watcher, watcher_name(node))
  end

  @doc "How many calls were answered, refused and why, answered wrongly; and the longest time without an answer."
  def watched(node) do
    watcher = Process.whereis(watcher_name(node))
    monitor = Process.monitor(watcher)
    send(watcher, :how_was_it)

    receive do
      {:DOWN, ^monitor, _, _, {:it_was, seen}} -> seen
    after
      10_000 -> exit(:the_watcher_is_stuck)
    end
  end

  defp watcher_name(node), do: :"watcher of #{node}"
  defp now, do: System.monotonic_time(:millisecond)

  defp watching(node, last, seen) do
    receive do
      :how_was_it -> exit({:it_was, %{seen | longest_ms: max(seen.longest_ms, now() - last)}})
    after
      5 ->
        x = :rand.uniform(1000)
        expected = x + 1

        case call(node, x, 1) do
          {:ok, ^expected} ->
            longest = max(seen.longest_ms, now() - last)
            watching(node, now(), %{seen | answered: seen.answered + 1, longest_ms: longest})

          {:ok, _} ->
            watching(node, last, %{seen | wrong: seen.wrong + 1})

          {:error, {_, reason}} ->
            reasons = Enum.uniq([inspect(reason, limit: 20) | seen.reasons]) |> Enum.take(5)
            watching(node, last, %{seen | refused: seen.refused + 1, reasons: reasons})
        end
    end
  end

  @doc "One call of the calculator from `node`."
  def call(node, x, y) do
    {:ok, :erpc.call(node, Distro.DistroCal, :add, [x, y], 6000)}
  catch
    kind, reason -> {:error, {kind, reason}}
  end
end

Observer.main(String.to_integer(System.fetch_env!("OTPNODE_OBSERVER")))
