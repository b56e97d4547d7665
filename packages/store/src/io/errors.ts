/** Why a store could not do what it was asked. */
export type StoreFailure =
  /** The bytes on disk fail their checksum. */
  | { code: 'DAMAGED'; where: string; temporary: false }
  /** The marker says that the store was set up, but what it holds is gone: somebody must look before it is replaced. */
  | { code: 'MISSING'; where: string; temporary: false }
  /** The disk refused (full, I/O error); the caller tries again later. */
  | { code: 'DISK'; where: string; temporary: true }
  | { code: 'CLOSED'; where: string; temporary: true };

/** What the stores throw. `cause` is the error of the disk or the database, where there was one. */
export class StoreError extends Error {
  override name = 'StoreError';
  readonly detail: StoreFailure;
  constructor(detail: StoreFailure, options?: ErrorOptions) {
    super(`${detail.code.toLowerCase()}: ${detail.where}`, options);
    this.detail = detail;
  }
}
