import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type JoinRefusal,
  joinRefusalText,
  type RecordKind,
  readFields,
  recordKinds,
  type Service,
  services,
} from '@copain/trust';

/** What a box is asked to become part of: the owner, and the epoch and predecessor of the record that will name it. */
interface BoxOffer {
  owner: Uint8Array;
  epoch: number;
  previous: Uint8Array;
  roles: string[];
}

/** What joiner and member say on the join stream. The joiner has authenticated the member before the first frame. */
export type JoinFrame =
  | { t: 'ask'; invite: Uint8Array }
  | {
      t: 'offer';
      circle: Uint8Array;
      member: string;
      inviter: string;
      name: string;
      may: string[];
      challenge: Uint8Array;
      /** The invite is for a further box of the inviter himself: what its key is to sign, and what it will be. */
      box?: BoxOffer | undefined;
    }
  /** `consent`: the joining box's own key agrees to be one of the inviter's boxes. */
  | { t: 'proof'; owner: Uint8Array; signature: Uint8Array; consent?: Uint8Array | undefined }
  | { t: 'refused'; why: JoinRefusal }
  | { t: 'record'; kind: RecordKind; envelope: Uint8Array }
  | { t: 'welcome' };

/** A member's answers may carry a whole record; a stranger's questions are bounded by the mesh's guest limit. */
const maxFrameBytes = 65_536;

export function encodeJoinFrame(frame: JoinFrame): Uint8Array {
  return encodeCanonical(frame as unknown as CanonicalValue);
}

/** The frame, or undefined where the bytes are none. */
export function decodeJoinFrame(bytes: Uint8Array): JoinFrame | undefined {
  const fields = readFields(decodeCanonical(bytes, maxFrameBytes));
  const frame = read(fields.text('t', 16), fields);
  return fields.ok ? frame : undefined;
}

function read(t: string, fields: ReturnType<typeof readFields>): JoinFrame | undefined {
  switch (t) {
    case 'ask':
      return { t, invite: fields.bytes('invite', 8, 8) };
    case 'offer':
      return {
        t,
        circle: fields.bytes('circle', 32, 32),
        member: fields.text('member', 32),
        inviter: fields.text('inviter', 32),
        name: fields.text('name', 32),
        may: fields.texts('may', 16, 32),
        challenge: fields.bytes('challenge', 32, 32),
        box: fields.has('box') ? readBox(fields) : undefined,
      };
    case 'proof':
      return {
        t,
        owner: fields.bytes('owner', 1, 17_000),
        signature: fields.bytes('signature', 64, 64),
        consent: fields.has('consent') ? fields.bytes('consent', 64, 64) : undefined,
      };
    case 'refused': {
      const why = fields.text('why', 32);
      // A reason that a newer version knows still reads as a refusal here.
      return { t, why: Object.hasOwn(joinRefusalText, why) ? (why as JoinRefusal) : 'unknown-invite' };
    }
    case 'record': {
      const kind = recordKinds.find((one) => one === fields.text('kind', 16));
      const envelope = fields.bytes('envelope', 1, maxFrameBytes);
      return kind === undefined ? undefined : { t, kind, envelope };
    }
    case 'welcome':
      return { t };
    default:
      return undefined;
  }
}

function readBox(fields: ReturnType<typeof readFields>): BoxOffer {
  const box = readFields(fields.value('box'));
  const offer = {
    owner: box.bytes('owner', 32, 32),
    epoch: box.integer('epoch', 1, Number.MAX_SAFE_INTEGER),
    previous: box.bytes('previous', 32, 32),
    roles: box.texts('roles', 16, 32),
  };
  if (!box.ok) fields.refuse();
  return offer;
}

/** The services among these words, each once, in the usual order. */
export function knownServices(words: readonly string[]): Service[] {
  return services.filter((service) => words.includes(service));
}
