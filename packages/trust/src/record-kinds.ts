import { maxRecordBytes } from './limits.ts';

/** What a box does for a friend: the words of `may`. */
export const services = ['dns', 'mail', 'backup', 'relay', 'witness'] as const;
export type Service = (typeof services)[number];

/** What a box of an owner may sign or do in his name. */
export const roles = ['sign-zone', 'sign-grant', 'mail', 'relay', 'watch'] as const;
export type Role = (typeof roles)[number];

/** Kinds of signed record; the envelope's domain is `copain/<kind>/1`. */
export type RecordKind = keyof typeof maxRecordBytes;
export const recordKinds: readonly RecordKind[] = Object.keys(maxRecordBytes) as RecordKind[];
