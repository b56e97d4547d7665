export interface ZoneCheckCase { id: string }
export function judgeZoneCheck(_one: ZoneCheckCase): undefined { return undefined; }
