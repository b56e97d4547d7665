/** Who is who and what each may do. See the modules beside this file. */
export {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type FieldReader,
  readFields,
} from './canonical.ts';
