defmodule Distro.MixProject do
  use Mix.Project

  def project do
    [app: :distro, version: "0.1.0", elixir: "~> 1.10", deps: []]
  end

  def application do
    [mod: {Distro, []}, extra_applications: [:logger]]
  end
end
