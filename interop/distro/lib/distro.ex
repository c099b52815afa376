defmodule Distro do
  @moduledoc "The tutorial's distributed application: one calculator for the whole cluster."
  use Application
  require Logger

  def start(type, _args) do
    Logger.info("Distro application in #{inspect(type)} mode")
    children = [%{id: Distro.DistroCal, start: {Distro.DistroCal, :start_link, []}}]
    Supervisor.start_link(children, strategy: :one_for_one, name: Distro.Supervisor)
  end

  def prep_stop(state) do
    Logger.info("Distro application about to stop")
    state
  end

  def stop(_state) do
    Logger.info("Distro application stopped")
  end
end
