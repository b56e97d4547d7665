import { type SigningKey, signingKeyFromSeed } from '@copain/mesh/io';
import { signingKeyOf } from '../../packages/agent/src/io/identity.ts';

/** The keys of one owner of the vectors. They are public: nobody may ever use them. */
export interface Person {
  ownerSecret: string;
  ownerSealTo: string;
  paperSecret: string;
  paperSealTo: string;
  mailSealTo: string;
  boxSeed: Uint8Array;
  owner: SigningKey;
  paper: SigningKey;
  box: SigningKey;
}

async function person(given: Omit<Person, 'owner' | 'paper' | 'box'>): Promise<Person> {
  return {
    ...given,
    owner: await signingKeyOf(given.ownerSecret, 'owner'),
    paper: await signingKeyOf(given.paperSecret, 'paper'),
    box: await signingKeyFromSeed(given.boxSeed),
  };
}

export const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Alice, who founds the circle, and Bob, whom she invites. */
export const people = async (): Promise<{ alice: Person; bob: Person }> => ({
  alice: await person({
    ownerSecret: 'AGE-SECRET-KEY-1DZJU63SNEJXVJKX5XWEEAJCZ0Y2T5DTDQDY34E8PV2RQGJM9H9NQZL7H8T',
    ownerSealTo: 'age173ad4wmq09lsf85agf93dz8kt6zvl8xypuuy696padl70y46t5mqncs5le',
    paperSecret: 'AGE-SECRET-KEY-1EWQ7KYHK06ERYDVN8ERXUE26KX86Z228CH4W59HGEP762VGUNFKQFHX3TV',
    paperSealTo: 'age1zy7x3qw7rx62tnx00yaytzexudqu8nefzxf4qjssd2vqv0p80vdq8r2d4u',
    mailSealTo: 'age1cdwcsp09afucl0707whrg6ldlpwxah9crr3jjkz935w68yhkmfrsja6wpm',
    boxSeed: seedOf(1),
  }),
  bob: await person({
    ownerSecret: 'AGE-SECRET-KEY-1C36RS88ASQXN5WYGNZJCNHQRNHZ5L4UGV4PAYAW3J2GMH3HEHACQF0KPY6',
    ownerSealTo: 'age1fd5l3zwfuwdxcy79rktt2ejh9gddkhd43ud9rx9c9d6w6w04dpjq0e6plv',
    paperSecret: 'AGE-SECRET-KEY-1V382Q697W69KDVDYVXV5S7N42JTZLYXQJU59ES5CFVE3SKKJTPDS55G0RT',
    paperSealTo: 'age1nuug7k2t698rcn5k996s08czy8xxvgn77pk2z27tjqrn2e764u4sdrz20d',
    mailSealTo: 'age1f2z22pz6dlse4w2v3j07vqsv5lunaujvnqvf9slaxz28g5m3zc2s8k3lyz',
    boxSeed: seedOf(2),
  }),
});
