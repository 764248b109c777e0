// The OpenFeature web SDK with the OFREP provider: node --experimental-eventsource web.mjs ADDRESS KEY
// It prints a line of JSON for each step, and reads a line before the next.
import { createInterface } from "node:readline";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const [baseUrl, key] = process.argv.slice(2);
const kept = new Map();
globalThis.localStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const asked = [];

async function fetched(request, options) {
  const answer = await fetch(request, options);
  asked.push({ status: answer.status, query: new URL(request.url).search, tag: request.headers.get("if-none-match") });
  return answer;
}

function say() {
  const client = OpenFeature.getClient();
  const told = (details) => ({ value: details.value, variant: details.variant, reason: details.reason, errorCode: details.errorCode });
  console.log(
    JSON.stringify({
      plain: told(client.getBooleanDetails("plain", false)),
      greeting: told(client.getStringDetails("greeting", "-")),
      size: told(client.getNumberDetails("size", 0)),
      layout: told(client.getObjectDetails("layout", {})),
      off: told(client.getBooleanDetails("off", true)),
      button: told(client.getStringDetails("button", "mine")),
      missing: told(client.getBooleanDetails("nothing", true)),
      asked: asked.splice(0),
    }),
  );
}

const provider = new OFREPWebProvider({
  baseUrl,
  headers: [["X-API-Key", key]],
  fetchImplementation: fetched,
  cacheMode: "network-first",
});
await OpenFeature.setContext({ targetingKey: "u1", country: "DE" });
await OpenFeature.setProviderAndWait(provider);
say();
await lines.next();

// The same person somewhere else: the provider sends the old tag, and must not be answered 304.
await OpenFeature.setContext({ targetingKey: "u1", country: "FR" });
say();
await lines.next();

// A definition changes: the stream says so, and the provider asks again by itself.
const changed = new Promise((resolve) => OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, resolve));
const until = Date.now() + 5_000;
while (provider._sseManager?._connections[0]?.readyState !== 1 && Date.now() < until) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(JSON.stringify({ listening: provider._sseManager?._connections[0]?.readyState === 1 }));
const details = await changed;
console.log(JSON.stringify({ changed: details.flagsChanged }));
say();
await OpenFeature.close();
process.exit(0);
