%% A BEAM node of a crowd: does what lines of its standard input ask, {Id, Request}., and answers with "@Id Result".
%% crowd_node.ts is the same for otpnode.
-module(crowd).
-export([start/0]).
-export([keep_greater/3, none/3, bad/3, crash/3]).

start() ->
    io:format("ready~n"),
    loop().

loop() ->
    case io:read("") of
        {ok, {Id, Request}} ->
            spawn(fun() ->
                Result = try request(Request) catch Class:Reason -> {Class, Reason} end,
                io:put_chars([$@, integer_to_list(Id), $\s, io_lib:write(Result), $\n])
            end),
            loop();
        eof ->
            erlang:halt(0)
    end.

request({connect, Node}) -> net_kernel:connect_node(Node);
request({disconnect, Node}) -> erlang:disconnect_node(Node);
request({cookie, Cookie}) -> erlang:set_cookie(node(), Cookie);
request({rpc, Node, Module, Function, Args}) -> rpc:call(Node, Module, Function, Args);
request(nodes) -> lists:sort(nodes());
request(known) -> lists:sort(gen_server:call(global_name_server, get_known, infinity));
request(synced) -> lists:sort(gen_server:call(global_name_server, get_synced, infinity));
request(names) -> lists:sort([{Name, place(global:whereis_name(Name))} || Name <- global:registered_names()]);
request(locks) -> ets:tab2list(global_locks);
request(waiting) -> [Waiting || Pid <- processes(), Pid =/= self(), Waiting <- waits(Pid)];
request({register, Name, Method}) -> claim(Name, Method);
request({register_external, Name}) -> global:register_name_external(Name, spawn(fun live/0));
request({step, Step}) -> step(Step);
request(leave) -> global:disconnect();
request({lock, {Resource, _} = Id, Nodes}) -> lock(whereis(Resource), Id, Nodes);
request({unlock, {Resource, _} = Id}) -> tell(Resource, {unlock, Id});
request({kill_locker, {Resource, _}}) -> exit(whereis(Resource), kill);
request({traffic, Ms, Programs}) -> traffic(Ms, Programs).

%% Where a process is, the same text on every node.
place(Pid) when is_pid(Pid) ->
    [_, Number, Serial] = string:tokens(pid_to_list(Pid), "<.>"),
    {node(Pid), list_to_integer(Number), list_to_integer(Serial)};
place(undefined) ->
    undefined.

%% Messages that nobody takes, and calls of global that do not end.
waits(Pid) ->
    case process_info(Pid, [message_queue_len, current_stacktrace, registered_name]) of
        [{_, Length}, {_, Stack}, Name] ->
            [{Pid, Name, messages, Length} || Length > 0] ++
                [{Pid, Name, M, F} || {M, F, _, _} <- Stack, M =:= global, is_waiting(F)];
        undefined ->
            []
    end.

is_waiting(Function) ->
    lists:member(Function, [random_sleep, set_lock1, gns_call, del_lock, set_lock_on_nodes, lock_on_known_nodes]).

claim(Name, Method) ->
    Resolve = case Method of
        _ when Method =:= keep_greater; Method =:= none; Method =:= bad; Method =:= crash -> fun ?MODULE:Method/3;
        _ -> fun global:Method/3
    end,
    Pid = spawn(fun live/0),
    Registered = global:register_name(Name, Pid, Resolve) =:= yes,
    Registered orelse exit(Pid, kill),
    Registered.

keep_greater(_Name, Pid1, Pid2) when node(Pid1) > node(Pid2) -> Pid1;
keep_greater(_Name, _Pid1, Pid2) -> Pid2.

none(_Name, _Pid1, _Pid2) -> none.
bad(_Name, _Pid1, _Pid2) -> bad_answer.
crash(_Name, _Pid1, _Pid2) -> exit(crash).

%% A process with the name of the resource holds its locks; it tries once.
lock(undefined, {Resource, _} = Id, Nodes) ->
    erlang:register(Resource, spawn(fun() -> holder([]) end)),
    lock(whereis(Resource), Id, Nodes);
lock(_, {Resource, _} = Id, Nodes) ->
    tell(Resource, {lock, Id, Nodes}).

tell(Resource, What) ->
    Ref = make_ref(),
    Resource ! {What, self(), Ref},
    receive {Ref, Result} -> Result end.

holder(Locked) ->
    receive
        {{lock, Id, Nodes}, From, Ref} ->
            From ! {Ref, global:set_lock(Id, Nodes, 0)},
            holder([{Id, Nodes} | Locked]);
        {{unlock, Id}, From, Ref} ->
            [global:del_lock(Id, Nodes) || {I, Nodes} <- Locked, I =:= Id],
            From ! {Ref, true},
            holder([Lock || {I, _} = Lock <- Locked, I =/= Id])
    end.

live() ->
    receive _ -> live() end.

%% Runs each program again and again in a process of its own, until the time is over; the locks that were held.
traffic(Ms, Programs) ->
    End = erlang:monotonic_time(millisecond) + Ms,
    Workers = [spawn_monitor(fun() -> exit({held, run(Program, Program, End, [])}) end) || Program <- Programs],
    lists:append([receive {'DOWN', Ref, _, _, {held, Held}} -> Held end || {_, Ref} <- Workers]).

run([], Program, End, Held) ->
    run(Program, Program, End, Held);
run([Step | Steps], Program, End, Held) ->
    case erlang:monotonic_time(millisecond) < End of
        true -> run(Steps, Program, End, step(Step) ++ Held);
        false -> Held
    end.

step({register, Name}) ->
    claim(Name, random_exit_name),
    [];
step({re_register, Name}) ->
    yes = global:re_register_name(Name, spawn(fun live/0)),
    [];
step({unregister, Name}) ->
    global:unregister_name(Name),
    [];
step({kill, Name}) ->
    case global:whereis_name(Name) of
        undefined -> [];
        Pid -> exit(Pid, kill), []
    end;
step({send, Name}) ->
    try global:send(Name, hello) catch exit:{badarg, {Name, hello}} -> ok end,
    [];
step(sync) ->
    ok = global:sync(),
    [];
step({pause, Ms}) ->
    timer:sleep(Ms),
    [];
step({trans, Resource, Ms}) ->
    global:trans({Resource, self()}, fun() -> hold(Resource, Ms) end);
step({try_lock, Resource, Ms}) ->
    Id = {Resource, self()},
    Nodes = [node() | nodes()],
    case global:set_lock(Id, Nodes, 0) of
        true ->
            Held = hold(Resource, Ms),
            global:del_lock(Id, Nodes),
            Held;
        false ->
            []
    end;
step({die_locked, Resource}) ->
    {_, Ref} = spawn_monitor(fun() -> global:set_lock({Resource, self()}, [node() | nodes()], 1) end),
    receive {'DOWN', Ref, _, _, _} -> [] end.

hold(Resource, Ms) ->
    From = os:system_time(microsecond),
    timer:sleep(Ms),
    [{Resource, From, os:system_time(microsecond)}].
