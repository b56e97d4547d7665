/** The parts of `peer status --json` and `/status.json` that these tests look at. */
export interface StatusJson {
  schema: string;
  name: string;
  id: string;
  verdict: { level: string; text: string; todo: { text: string; command: string }[] };
  address: { ipv4: string | null; reachable: boolean | null; relays: string[] };
  friends: FriendJson[];
  zones: {
    origin: string;
    owner: string;
    role: string;
    serial: number;
    friends: { name: string; serial: number }[];
  }[];
  mail: {
    domain: string;
    owner: string;
    role: string;
    state: string;
    messages: number;
    bytes: number;
    probes: { friend: string; ok: boolean | null; canary: { state: string } | null }[];
  }[];
  services: {
    owner: string;
    service: string;
    target: string;
    state: string;
    confirmed: boolean;
    downBy: string[];
    upBy: string[];
    inside: string | null;
    fault: string;
    text: string;
  }[];
  takeovers: { owner: string; service: string; name: string; by: string; sinceAt: string; votes: string[] }[];
  line: { state: string };
  events: { at: string; kind: string; text: string }[];
}

/** Is a friend in this state heard? One who answers late, on a full line or a busy machine, is. */
export const isHeard = (state: string | undefined): boolean => state === 'up' || state === 'slow';

export interface FriendJson {
  name: string;
  state: string;
  confirmed: boolean;
  sinceAt: string;
  lastHeardAt: string | null;
  path: 'direct' | 'relayed' | null;
  via: string | null;
  seenDownBy: string[];
  may: string[];
}

/** One line of `peer mail list --json`. */
export interface MessageJson {
  id: string;
  domain: string;
  from: string;
  recipients: string[];
  sizeBytes: number;
  receivedAt: string;
  heldBy: string[];
  state: string;
}
