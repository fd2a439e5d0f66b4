// Elements of the page. Text never becomes markup.

export const $ = (id) => document.getElementById(id);

export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Touches the page only where the text is another one, so that a selection, the focus and a screen reader are left alone.
export function write(node, text, className) {
  if (node.textContent !== String(text)) node.textContent = text;
  if (className !== undefined && node.className !== className) node.className = className;
}

export function clockTime(date = new Date()) {
  return date.toTimeString().slice(0, 8);
}
