import { isOurCopainOlder, type VersionGap } from '@copain/mesh';

/** Why two boxes cannot talk, naming both sides' versions, and which of them is to be updated. */
export function versionGapText(name: string, gap: VersionGap): string {
  const list = (versions: readonly number[]): string => versions.join(' and ');
  const older = isOurCopainOlder(gap) ? 'this box' : name;
  return (
    `${name} speaks version ${list(gap.theirs)} of the ${gap.protocol} protocol, this box ${list(gap.ours)}: ` +
    `they cannot talk until copain is updated on ${older}.`
  );
}
