/** Loaded into an agent before its own code: on SIGUSR2 something is thrown that nobody catches. */
const kinds = ['exception', 'rejection'] as const;
let planted = 0;

process.on('SIGUSR2', () => {
  const kind = kinds[planted % kinds.length];
  planted += 1;
  const fault = new Error(`planted ${kind} ${planted}`);
  if (kind === 'rejection') void Promise.reject(fault);
  else
    setImmediate(() => {
      throw fault;
    });
});
