// The OpenFeature server SDK for JavaScript with the OFREP provider: node server.mjs ADDRESS KEY
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [baseUrl, key] = process.argv.slice(2);
const said = {};

async function client(name, headers) {
  await OpenFeature.setProviderAndWait(name, new OFREPProvider({ baseUrl, headers }));
  return OpenFeature.getClient(name);
}

function told(details) {
  const { value, variant, reason, errorCode, flagMetadata } = details;
  return { value, variant, reason, errorCode, metadata: flagMetadata };
}

const known = await client("known", [["X-API-Key", key]]);
const who = { targetingKey: "u1", country: "DE" };
said.plain = told(await known.getBooleanDetails("plain", false, who));
said.text = told(await known.getStringDetails("greeting", "-", who));
said.abroad = told(await known.getStringDetails("greeting", "-", { ...who, country: "FR" }));
said.number = told(await known.getNumberDetails("size", 0, who));
said.object = told(await known.getObjectDetails("layout", {}, who));
said.off = told(await known.getBooleanDetails("off", true, who));
said.missing = told(await known.getBooleanDetails("nothing", true, who));
said.wrong = told(await known.getStringDetails("plain", "mine", who));
said.nobody = told(await known.getStringDetails("button", "mine", {}));
said.arms = {};
for (let n = 0; n < 40; n++) {
  const details = await known.getStringDetails("button", "mine", { targetingKey: `js${n}` });
  said.arms[`js${n}`] = details.variant;
}
const bearer = await client("bearer", [["Authorization", `Bearer ${key}`]]);
said.bearer = told(await bearer.getBooleanDetails("plain", false, who));
const stranger = await client("stranger", [["X-API-Key", "sk_nobody"]]);
said.stranger = told(await stranger.getBooleanDetails("plain", true, who));
console.log(JSON.stringify(said));
await OpenFeature.close();
