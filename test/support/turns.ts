// How long something keeps the event loop from sleeping.

/** Turns of the event loop until nothing but what waits for the outside is left to do. */
export async function turnsAwake(): Promise<number> {
  for (let turns = 0; turns < 100_000; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!process.getActiveResourcesInfo().includes('Immediate')) return turns;
  }
  throw new Error('the event loop does not come to rest');
}
