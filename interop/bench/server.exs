# The BEAM side of the benchmark: one gen_server, registered as `bench`. bench/server.ts is the same on otpnode.
defmodule BenchServer do
  use GenServer

  def init(count), do: {:ok, count}
  def handle_call({:echo, payload}, _from, count), do: {:reply, payload, count}
  def handle_call(:count, _from, count), do: {:reply, count, 0}
  def handle_info({:tick, _number}, count), do: {:noreply, count + 1}
end

{:ok, _} = GenServer.start(BenchServer, 0, name: :bench)
