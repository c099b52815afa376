%% The Erlang side of the codec's tests: answers requests on standard input, each with 4 bytes of length in front.
%% A request is {Function, Args}, the answer {ok, Result} or {error, Reason}; what is tested travels as binaries.
-module(etf_peer).
-export([start/0]).
-export([release/0, random/2, check/1, echo/2, call_funs/1, sort/1, keys/1, show/2, read/1, evaluate/1]).

start() ->
    Port = open_port({fd, 0, 1}, [{packet, 4}, binary, eof]),
    loop(Port).

loop(Port) ->
    receive
        {Port, {data, Request}} ->
            {Function, Args} = binary_to_term(Request),
            Answer = try {ok, apply(?MODULE, Function, Args)}
                     catch Class:Reason:Stack -> {error, {Class, Reason, Stack}}
                     end,
            port_command(Port, term_to_binary(Answer)),
            loop(Port);
        {Port, eof} ->
            halt()
    end.

release() ->
    list_to_integer(erlang:system_info(otp_release)).

%% Count random terms, remembered for check/1: each as term_to_binary/1 makes it, and with its options.
random(Seed, Count) ->
    rand:seed(exsss, {Seed, 0, 0}),
    Terms = [term(rand:uniform(5)) || _ <- lists:seq(1, Count)],
    put(terms, Terms),
    [[term_to_binary(T) | [written(T, O) || O <- options()]] || T <- Terms].

options() ->
    [[{minor_version, 0}], [{minor_version, 1}], [{minor_version, 2}], [compressed], [deterministic]].

%% Options that a release does not know give <<>>.
written(Term, Options) ->
    try term_to_binary(Term, Options) catch error:badarg -> <<>> end.

%% The numbers (from 0) of the remembered terms that the binaries are not: =:= is asked.
check(Binaries) ->
    [I || {I, T, B} <- lists:zip3(lists:seq(0, length(Binaries) - 1), get(terms), Binaries),
          (try binary_to_term(B) =:= T catch _:_ -> false end) =:= false].

%% For each list of encodings of one term: whether all are that term, and what term_to_binary makes of it.
echo(Encodings, Options) ->
    [begin
         [T | Others] = [binary_to_term(B) || B <- Bs],
         {lists:all(fun(O) -> O =:= T end, Others), term_to_binary(T, Options)}
     end || Bs <- Encodings].

%% Funs of this module: what they give for the argument 1.
call_funs(Binaries) ->
    [(binary_to_term(B))(1) || B <- Binaries].

%% The numbers (from 0) of the terms in the order of lists:sort/1.
sort(Binaries) ->
    Numbered = lists:zip([binary_to_term(B) || B <- Binaries], lists:seq(0, length(Binaries) - 1)),
    [I || {_, I} <- lists:sort(fun({A, _}, {B, _}) -> A =< B end, Numbered)].

%% What term_to_binary(_, [deterministic]) writes for maps with these keys.
keys(Binaries) ->
    Keys = [binary_to_term(B) || B <- Binaries],
    term_to_binary(maps:from_list([{K, []} || K <- Keys]), [deterministic]).

%% The terms as text, as UTF-8.
show(Binaries, Format) ->
    [unicode:characters_to_binary(io_lib:format(Format, [binary_to_term(B)])) || B <- Binaries].

%% Bytes that may be damaged: what is read, written again, or bad.
read(Binaries) ->
    [try binary_to_term(B) of
         T -> {term_to_binary(T), [is_function(T)]}
     catch
         error:badarg -> bad
     end || B <- Binaries].

%% The value of each expression as term_to_binary makes it, or the class of its error.
evaluate(Sources) ->
    [begin
         {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(S)),
         {ok, Exprs} = erl_parse:parse_exprs(Tokens),
         try erl_eval:exprs(Exprs, []) of
             {value, V, _} -> {ok, term_to_binary(V)}
         catch
             _:Reason -> {error, Reason}
         end
     end || S <- Sources].

%% Random terms, at most Depth containers deep.
term(0) ->
    leaf(rand:uniform(18));
term(Depth) ->
    case rand:uniform(9) of
        1 -> list_to_tuple(terms(Depth));
        2 -> terms(Depth);
        3 -> terms(Depth) ++ leaf(3 + rand:uniform(15));
        4 -> maps:from_list([{term(Depth - 1), T} || T <- terms(Depth)]);
        5 -> {'$gen_call', {pid(), [alias | reference()]}, term(Depth - 1)};
        6 -> own_fun(term(Depth - 1), rand:uniform(3));
        _ -> term(Depth - 1)
    end.

terms(Depth) ->
    [term(Depth - 1) || _ <- lists:seq(1, rand:uniform(5) - 1)].

leaf(1) -> [];
leaf(2) -> [rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(20))];
leaf(3) -> [rand:uniform(300) - 1 || _ <- lists:seq(1, rand:uniform(20))];
leaf(4) -> rand:uniform(256) - 1;
leaf(5) -> near_power();
leaf(6) -> near_power();
leaf(7) -> rand:normal();
leaf(8) -> any_float();
leaf(9) -> atom();
leaf(10) -> lists:nth(rand:uniform(8), [true, false, ok, undefined, '', nil, 'Elixir.Distro', 'ünï']);
leaf(11) -> bytes(rand:uniform(20) - 1);
leaf(12) -> <<(bytes(rand:uniform(5) - 1))/binary, (rand:uniform(128) - 1):(rand:uniform(7))>>;
leaf(13) -> pid();
leaf(14) -> reference();
leaf(15) -> port();
leaf(16) -> fun lists:map/2;
leaf(17) -> own_fun(rand:uniform(100), rand:uniform(3));
leaf(18) -> {}.

near_power() ->
    Bits = lists:nth(rand:uniform(13), [7, 8, 15, 16, 27, 31, 32, 53, 59, 63, 64, 128, 2040]),
    Sign = rand:uniform(2) * 2 - 3,
    Sign * (1 bsl Bits) + rand:uniform(5) - 3.

any_float() ->
    case <<(rand:uniform(1 bsl 64) - 1):64>> of
        <<F/float>> -> F;
        _ -> lists:nth(rand:uniform(4), [0.0, 1.0, 5.0e-324, 1.7976931348623157e308])
    end.

atom() ->
    Highest = lists:nth(rand:uniform(4), [127, 255, 16#7ff, 16#10ffff]),
    list_to_atom([character(Highest) || _ <- lists:seq(1, lists:nth(rand:uniform(4), [1, 5, 20, 255]))]).

character(Highest) ->
    case rand:uniform(Highest) of
        C when C >= 16#d800, C =< 16#dfff -> $x;
        C -> C
    end.

bytes(N) ->
    list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, N)]).

external() ->
    lists:nth(rand:uniform(3), [<<119, 5, "a@b.c">>, <<118, 7:16, "node@", 195, 188>>, <<100, 8:16, "xyz@host">>]).

u32() ->
    rand:uniform(1 bsl lists:nth(rand:uniform(3), [4, 13, 32])) - 1.

%% OTP 23 knows 28 bits of pids, 3 words of references and 28 bits of ports.
narrow(Wide, Narrow) ->
    case release() of 23 -> Narrow; _ -> Wide end.

pid() ->
    case rand:uniform(3) of
        1 -> self();
        _ ->
            {Number, Serial} = {u32() band narrow(16#ffffffff, 16#7fff), u32() band narrow(16#ffffffff, 16#1fff)},
            binary_to_term(<<131, 88, (external())/binary, Number:32, Serial:32, (u32()):32>>)
    end.

reference() ->
    case rand:uniform(3) of
        1 -> make_ref();
        _ ->
            Words = rand:uniform(narrow(5, 3)),
            Data = << <<(u32() band 16#3ffff):32>> || _ <- lists:seq(1, Words)>>,
            binary_to_term(<<131, 90, Words:16, (external())/binary, (u32()):32, Data/binary>>)
    end.

port() ->
    Id = rand:uniform(1 bsl narrow(60, 28)) - 1,
    case release() of
        23 -> binary_to_term(<<131, 89, (external())/binary, Id:32, (u32()):32>>);
        _ -> binary_to_term(<<131, 120, (external())/binary, Id:64, (u32()):32>>)
    end.

own_fun(A, 1) -> fun(X) -> {X, A} end;
own_fun(A, 2) -> B = {A, A}, fun(X) -> {A, X, B} end;
own_fun(_, 3) -> fun(X) -> X end.
