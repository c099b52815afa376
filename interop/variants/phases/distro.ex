defmodule Distro do
  @moduledoc "The tutorial's application with start phases: a failover is told to it as one."
  use Application
  require Logger

  def start(type, _args) do
    Logger.info("Distro application in #{inspect(type)} mode")
    children = [%{id: Distro.DistroCal, start: {Distro.DistroCal, :start_link, []}}]
    Supervisor.start_link(children, strategy: :one_for_one, name: Distro.Supervisor)
  end

  def start_phase(phase, type, args) do
    Logger.info("Distro phase #{inspect(phase)} in #{inspect(type)} mode with #{inspect(args)}")
    :ok
  end
end
