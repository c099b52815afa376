// What we use of the package `epmd-client`, which has no types of its own.
declare module 'epmd-client/protocol/encoder.js' {
  const encoder: {
    /** Puts the two-byte length in front. */
    requestWrapper(request: Buffer): Buffer;
    aliveRequest(port: number, name: string): Buffer;
    portPleaseRequest(name: string): Buffer;
    namesRequest(): Buffer;
    dumpRequest(): Buffer;
    killRequest(): Buffer;
  };
  export default encoder;
}

declare module 'epmd-client/protocol/decoder.js' {
  const decoder: {
    decode(answer: Buffer): {
      data: { port: number; nodeType: number; protocol: number; name: string; creation: Buffer };
    };
  };
  export default decoder;
}
