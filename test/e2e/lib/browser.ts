import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** The document of an address as a real Chromium has it after loading, as HTML. */
export async function domOf(url: string, options: { widthPx?: number } = {}): Promise<string> {
  await using profile = temporaryFolder('chromium');
  const quiet = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
    `--user-data-dir=${profile.path}`,
    `--window-size=${options.widthPx ?? 1280},900`,
  ];
  const ran = await run(['chromium', ...quiet, '--dump-dom', url], { limitMs: 60_000 });
  if (ran.code !== 0 || ran.stdout === '') throw new Error(`chromium: exit ${ran.code}\n${ran.stderr}`);
  return ran.stdout;
}

/**
 * How wide the content of an HTML page is in a window of `widthPx`: more than `widthPx` means that a reader must scroll
 * sideways. The page is laid out in a frame of that width, since a browser window has a least width of its own.
 */
export async function contentWidthPx(
  html: string,
  options: { widthPx: number; base: string },
): Promise<number> {
  await using folder = temporaryFolder('page');
  const page = html.replace(/<head[^>]*>/i, (head) => `${head}<base href="${options.base}">`);
  const wrapper = `<!doctype html><html><body><script>
    const frame = document.createElement('iframe');
    frame.style.cssText = 'border:0;height:900px;width:${options.widthPx}px';
    frame.onload = () => {
      document.title = 'width ' + frame.contentDocument.documentElement.scrollWidth;
    };
    frame.srcdoc = ${JSON.stringify(page).replaceAll('<', '\\u003c')};
    document.body.append(frame);
  </script></body></html>`;
  const file = join(folder.path, 'frame.html');
  writeFileSync(file, wrapper);
  const width = /<title>width (\d+)<\/title>/.exec(await domOf(`file://${file}`))?.[1];
  if (width === undefined) throw new Error('the page did not load in its frame');
  return Number(width);
}
