// The public API of otpnode, written by hand.
export * from './errors.js';
