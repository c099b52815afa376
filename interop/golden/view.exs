# What a node says of applications, in one line each: the same words for a BEAM node and for otpnode.
defmodule Golden do
  @doc "A line for each node and application, joined; `dist_ac` waits at most half a second for an answer."
  def views(nodes, apps) do
    nodes
    |> Enum.map(fn node -> Task.async(fn -> asked(node, apps) end) end)
    |> Enum.map_join("|", &Task.await(&1, 20_000))
  end

  defp asked(node, apps) do
    view(node, apps)
  catch
    kind, reason -> "#{short(node)}: does not answer: #{short({kind, reason})}"
  end

  defp view(node, apps) do
    here = for {app, _, _} <- call(node, :application, :which_applications, []), do: app
    info = call(node, :application, :info, [])
    dist_ac = dist_ac(node)

    name =
      case call(node, :global, :whereis_name, [Distro.DistroCal]) do
        :undefined -> "-"
        pid -> short(node(pid))
      end

    lines =
      for app <- apps do
        runs = if app in here, do: "runs", else: "-"
        "#{app} #{runs} #{listed(info[:running][app])} #{info[:started][app] || "-"} #{id(dist_ac, app)}"
      end

    "#{short(node)}: #{Enum.join(lines, ", ")}; name on #{name}; #{known(dist_ac)}"
  end

  defp call(node, module, fun, args), do: :erpc.call(node, module, fun, args, 10_000)

  defp listed(nil), do: "-"
  defp listed({:distributed, []}), do: "nowhere"
  defp listed({:distributed, node}), do: short(node)
  defp listed(_), do: "here"

  defp dist_ac(node) do
    :gen_server.call({:dist_ac, node}, :info, 500)
  catch
    :exit, {:timeout, _} -> :blocked
    :exit, _ -> :none
  end

  defp id(state, _) when is_atom(state), do: Atom.to_string(state)

  defp id(state, app) do
    case List.keyfind(elem(state, 1), app, 1) do
      nil -> "uncontrolled"
      {:appl, ^app, id, _, _, run} -> "#{short(id)} run=#{run |> Enum.map(&short/1) |> Enum.sort() |> Enum.join()}"
    end
  end

  defp known(state) when is_atom(state), do: "dist_ac #{state}"
  defp known(state), do: "knows #{state |> elem(4) |> Enum.uniq() |> Enum.sort() |> Enum.map_join(" ", &short/1)}"

  defp short(term), do: term |> inspect() |> String.replace(~r/:?"?(\w+)@127\.0\.0\.1"?/, "\\1")
end
