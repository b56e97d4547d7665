import { visible } from '@copain/core';

/** A piece of HTML whose values are escaped already. Only the `html` template makes one. */
export interface Html {
  readonly markup: string;
}

type Value = string | number | Html | readonly Html[];

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function markupOf(value: Value): string {
  if (typeof value === 'string' || typeof value === 'number')
    return visible(String(value), 2000).replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('');
}

/**
 * A template whose every value is escaped for element content and double-quoted attributes, and freed of characters
 * that hide or reorder text; values that are Html themselves stay as they are.
 */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  let markup = parts[0] ?? '';
  values.forEach((value, index) => {
    markup += markupOf(value) + (parts[index + 1] ?? '');
  });
  return { markup };
}

/** Nothing. */
export const noHtml: Html = { markup: '' };
