/** One measured value, over several runs or boxes. */
interface Figure {
  name: string;
  unit: string;
  median: number;
  min: number;
  max: number;
  runs: number;
}

/** Where a measurement puts its values: printed as they come, or collected as JSON. */
export interface Figures {
  /** Adds a figure and gives its median. */
  record: (name: string, unit: string, values: readonly number[]) => number;
  /** The whole as one JSON document, `peer.bench/1`. */
  json(): string;
}

export function collectFigures(options: { print: boolean }): Figures {
  const figures: Figure[] = [];
  return {
    record: (name, unit, values) => {
      const sorted = values.toSorted((a, b) => a - b);
      const [min = 0] = sorted;
      const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
      const figure = { name, unit, median, min, max: sorted.at(-1) ?? 0, runs: sorted.length };
      figures.push(figure);
      const round = (value: number): number => Math.round(value * 10) / 10;
      const spread = `${round(figure.min)} to ${round(figure.max)}, ${figure.runs} runs`;
      if (options.print) console.log(`${name.padEnd(56)} ${round(median)} ${unit} (${spread})`);
      return median;
    },
    json: () => JSON.stringify({ schema: 'peer.bench/1', figures }, null, 2),
  };
}
