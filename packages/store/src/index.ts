/**
 * The memory twins of the three stores, for tests and simulations of whoever uses the core ports `Table`, `Files` and
 * `Segments`. The real ones, on disk, are in `@copain/store/io`; one contract suite runs on both.
 *
 *     import { memorySegments, memoryTable } from '@copain/store';
 *     const table = memoryTable();
 *     const segments = memorySegments();
 *     await table.write([{ key: 'zone/1', value: bytes }]);
 *     await segments.append(record);
 *
 * Promises: the same outcomes as on disk; a twin opened again over the same backing map finds what was there. Does not
 * persist anything, nor imitate torn writes.
 */

export {
  type MemoryLog,
  memoryFiles,
  memoryLog,
  memorySegments,
  memoryTable,
} from './memory.ts';
