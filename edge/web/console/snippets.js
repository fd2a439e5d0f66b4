// A call as a program that makes it. Pure.

export function asJavaScript(url, service, method, params) {
  return `import { connect } from "nuropb-gateway-client";

const gateway = connect(${JSON.stringify(url)}, { token: "YOUR-TOKEN" });
console.log(await gateway.request(${JSON.stringify(service)}, ${JSON.stringify(method)}, ${JSON.stringify(params)}));
gateway.close();
`;
}

export function asPython(url, service, method, params) {
  return `from nuropb_gateway_client import GatewaySync

with GatewaySync(${JSON.stringify(url)}, "YOUR-TOKEN") as gateway:
    print(gateway.request(${JSON.stringify(service)}, ${JSON.stringify(method)}, ${pythonLiteral(params)}))
`;
}

// JSON's strings and numbers are Python's too; its words are not.
export function pythonLiteral(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${pythonLiteral(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}
