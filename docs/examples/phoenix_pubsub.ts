// A service that publishes to Phoenix.PubSub and receives from it, as one more node of the cluster.
//
// The adapter PG2 of Phoenix.PubSub 2 works like this: each node has a few workers, one per shard of the pool; they join groups
// of the `pg` scope `Phoenix.PubSub`, called `Name.Adapter`, `Name.Adapter_2`, …; to broadcast is to send
// `{forward_to_local, Topic, Message, Dispatcher}` to the members of one of these groups on all other nodes, and each
// worker hands `Message` to the subscribers of its node. Workers are registered under their group's name as well:
// `direct_broadcast` sends to `{Group, Node}`.
import {
  type Atom,
  atom,
  binary,
  isTagged,
  type Node,
  type PgScope,
  type Process,
  type Term,
  text,
  tuple,
} from 'otpnode';

const SCOPE = atom('Elixir.Phoenix.PubSub');
const FORWARD_TO_LOCAL = atom('forward_to_local');

/** Told of each message of a topic. */
export type Subscriber = (message: Term) => void;

export class PhoenixPubSub {
  readonly #node: Node;
  readonly #scope: PgScope;
  readonly #groups: readonly Atom[];
  readonly #subscribers = new Map<string, Set<Subscriber>>();

  private constructor(node: Node, scope: PgScope, groups: readonly Atom[]) {
    this.#node = node;
    this.#scope = scope;
    this.#groups = groups;
  }

  /**
   * Takes part in the PubSub of that name, `MyApp.PubSub`. `poolSize` is that of the Phoenix nodes (`pool_size`, by default
   * one for every four cores); a larger one does no harm.
   */
  static async start(node: Node, name: string, poolSize = 1): Promise<PhoenixPubSub> {
    const scope = await node.pg.scope(SCOPE);
    const adapter = `Elixir.${name.replace(/^Elixir\./, '')}.Adapter`;
    const shards = Array.from({ length: poolSize }, (_, i) =>
      atom(i === 0 ? adapter : `${adapter}_${i + 1}`),
    );
    const pubsub = new PhoenixPubSub(node, scope, shards);
    for (const group of shards) node.spawn((self) => pubsub.#work(self, group));
    return pubsub;
  }

  /** One shard's worker. */
  async #work(self: Process, group: Atom): Promise<void> {
    self.register(group);
    this.#scope.join(group, self.pid);
    for (;;) {
      const message = await self.next();
      if (message === undefined || !isTagged(message, FORWARD_TO_LOCAL, 4)) continue;
      const [, topic, payload] = message.elements;
      if (topic instanceof Uint8Array) this.#dispatch(text(topic), payload as Term);
    }
  }

  #dispatch(topic: string, message: Term): void {
    for (const subscriber of this.#subscribers.get(topic) ?? []) {
      try {
        subscriber(message);
      } catch (error) {
        this.#node.system.log('error', `a subscriber of ${topic} failed: ${String(error)}`);
      }
    }
  }

  /** Tells `subscriber` of each message of the topic, until what is returned is disposed of. */
  subscribe(topic: string, subscriber: Subscriber): Disposable {
    const subscribers = this.#subscribers.get(topic) ?? new Set();
    this.#subscribers.set(topic, subscribers.add(subscriber));
    return {
      [Symbol.dispose]: () => {
        subscribers.delete(subscriber);
        if (subscribers.size === 0) this.#subscribers.delete(topic);
      },
    };
  }

  /**
   * Publishes a message to the subscribers of the topic on all nodes, this one included. `dispatcher` is the Elixir module that
   * hands it out there: for what channels are to pass on to browsers, `Phoenix.Channel.Server`, with a
   * `%Phoenix.Socket.Broadcast{}` as the message.
   */
  broadcast(topic: string, message: Term, dispatcher = 'Phoenix.PubSub'): void {
    const module = atom(`Elixir.${dispatcher}`);
    const forward = tuple(FORWARD_TO_LOCAL, binary(topic), message, module);
    const [group] = this.#groups as readonly [Atom];
    for (const pid of this.#scope.getMembers(group)) {
      if (pid.node !== this.#node.name) this.#node.client.send(pid, forward);
    }
    this.#dispatch(topic, message);
  }
}
