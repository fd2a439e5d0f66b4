// What a test says in JavaScript, in Node and in a page: the body of an async function.
import * as load from "./load.mjs";

export function prepare(client) {
  Object.assign(globalThis, client, load, { evaluate });
}

export async function evaluate(body) {
  try {
    const run = new Function(`return (async () => {\n${body}\n})()`);
    return { value: await run() };
  } catch (error) {
    return { error: { ...error, name: error.name, message: error.message } };
  }
}
