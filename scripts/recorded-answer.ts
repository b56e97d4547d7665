/** What servers answered to one query, records as text. */
export interface RecordedAnswer {
  servers: string[];
  rcode: string;
  flags: string[];
  answer: string[];
  authority: string[];
  additional: string[];
}
