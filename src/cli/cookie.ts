// The cookie file, which only the command line and the embedder point at.
export { type CookiePlaces, fileCookie } from '../kernel/auth.js';
