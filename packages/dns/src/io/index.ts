export { sha1, sha256 } from './hash.ts';
