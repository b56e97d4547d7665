/**
 * The three stores on disk that fulfil the core ports: a table on level, whole files, append-only segments.
 *
 *     const table = await openTable('/var/lib/peer/table');
 *     const files = await openFiles('/var/lib/peer/zones');
 *     const spool = await openSegments('/var/lib/peer/spool');
 *     const outcome = await spool.append(record);
 *     if (outcome.kind === 'stored') await table.write([{ key: outcome.entry.id, value: row }]);
 *
 * Promises: what a call says is stored survives kill -9 and a power cut; damage is noticed, never served as data. Does
 * not keep a second process out of the segments and files (level refuses one by its lock).
 */

export { makeFolder, openFiles, syncFolder } from './durable-files.ts';
export { StoreError, type StoreFailure } from './errors.ts';
export { type IndexFound, openIndexTable } from './index-table.ts';
export { openTable } from './level-table.ts';
export { type DiskSegments, openSegments, type SegmentsOptions } from './segment-store.ts';
