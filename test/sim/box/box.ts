import type { BoxClock } from '../world/clock.ts';
import type { Disk } from '../world/disk.ts';
import type { Person } from '../world/people.ts';
import type { Mail } from './mail.ts';
import type { Records } from './records.ts';
import type { Takeovers } from './takeovers.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** One box of the circle: what of it is real (its state as the deciding code made it) and what the simulator says of it. */
export interface Box {
  readonly number: number;
  readonly person: Person;
  readonly clock: BoxClock;
  readonly disk: Disk;
  readonly records: Records;
  readonly watch: Watch;
  readonly zones: Zones;
  readonly mail: Mail;
  readonly takeovers: Takeovers;
  /** Does its agent run? */
  on: boolean;
  /** Counts the runs of its agent, so that what an earlier one began comes to nothing. */
  life: number;
  startedAtMs: number;
}
