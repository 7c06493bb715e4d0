/** Attributes of an element; numbers are rounded to hundredths of a pixel. */
export type Attributes = Readonly<Record<string, string | number>>;

/** One SVG element with its children. Attribute values are escaped, children are taken as they are. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeText(formatNumber(value))}"`);
  const open = `<${name}${written.join('')}`;
  return children.length === 0 ? `${open}/>` : `${open}>${children.join('')}</${name}>`;
}

/** A text element; `text` is escaped. */
export function label(text: string, attributes: Attributes): string {
  return element('text', attributes, escapeText(text));
}

/** A whole drawing on a white ground, `width` by `height` pixels, that scales with the page it is on. */
export function drawing(width: number, height: number, title: string, children: readonly string[]): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'font-family': 'system-ui, sans-serif',
    'font-size': 12,
  };
  const ground = element('rect', { width, height, fill: '#fff' });
  return `${element('svg', attributes, element('title', {}, escapeText(title)), ground, ...children)}\n`;
}

function formatNumber(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
}

/** Control characters are not allowed in XML at all, so they are dropped. */
function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
