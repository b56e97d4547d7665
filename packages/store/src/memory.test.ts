import { filesContract, segmentsContract, tableContract } from './io/contract-suite.ts';
import { memoryFiles, memoryLog, memorySegments, memoryTable } from './memory.ts';

tableContract('memoryTable', async () => {
  const rows = new Map<string, Uint8Array>();
  return { store: memoryTable(rows), reopen: async () => memoryTable(rows), dispose: async () => {} };
});

filesContract('memoryFiles', async () => {
  const contents = new Map<string, Uint8Array>();
  return { store: memoryFiles(contents), reopen: async () => memoryFiles(contents), dispose: async () => {} };
});

segmentsContract('memorySegments', async () => {
  const log = memoryLog();
  return { store: memorySegments(log), reopen: async () => memorySegments(log), dispose: async () => {} };
});
