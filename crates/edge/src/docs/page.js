// Shows /openapi.json and sends requests to this server. All text is set as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const byId = (id) => document.getElementById(id);

function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const code = (text) => element("code", { textContent: text });
const block = (value) =>
  element("pre", { textContent: typeof value === "string" ? value : JSON.stringify(value, null, 2) });

function lookUp(api, value) {
  const path = value && value.$ref;
  if (!path) return value;
  return path.slice(2).split("/").reduce((place, part) => place && place[part], api);
}

// A value that fits a schema, to start a request body from.
function example(api, given, depth = 0) {
  const schema = lookUp(api, given) || {};
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choice = (schema.oneOf || schema.anyOf || schema.allOf || [])[0];
  if (choice) return depth > 4 ? null : example(api, choice, depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object" || schema.properties) {
    const fields = Object.entries(schema.properties || {}).filter(([name]) => (schema.required || []).includes(name));
    return Object.fromEntries(fields.map(([name, field]) => [name, depth > 4 ? null : example(api, field, depth + 1)]));
  }
  return { array: [], string: "", integer: 0, number: 0, boolean: false }[type] ?? null;
}

function bodySchema(api, operation) {
  const body = lookUp(api, operation.requestBody);
  const content = body && body.content && body.content["application/json"];
  return content && content.schema;
}

function parameters(api, item, operation) {
  const own = [...(item.parameters || []), ...(operation.parameters || [])];
  return own.map((parameter) => lookUp(api, parameter));
}

function answers(api, operation) {
  const rows = Object.entries(operation.responses || {}).map(([status, given]) => {
    const answer = lookUp(api, given) || {};
    const schema = Object.values(answer.content || {}).map((content) => content.schema)[0];
    const name = schema && schema.$ref ? schema.$ref.split("/").pop() : "";
    return element("tr", {}, element("td", {}, code(status)), element("td", { textContent: answer.description || "" }),
      element("td", {}, name && code(name)));
  });
  return element("table", {}, ...rows);
}

async function send(method, path, inputs, body, shown) {
  let url = path;
  const query = new URLSearchParams();
  for (const [parameter, input] of inputs) {
    const name = parameter.name.replace("*", "");
    if (parameter.in === "path") {
      // A wildcard takes several segments.
      url = url.replace(`{${name}}`, encodeURIComponent(input.value)).replace(`{*${name}}`, encodeURI(input.value));
    }
    if (parameter.in === "query" && input.value !== "") query.set(parameter.name, input.value);
  }
  const headers = {};
  const token = byId("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  shown.textContent = "…";
  try {
    const target = [...query].length ? `${url}?${query}` : url;
    const started = performance.now();
    const response = await fetch(target, {
      method: method.toUpperCase(), headers, body: body ? body.value : undefined, credentials: "omit",
    });
    const text = await response.text();
    const took = Math.round(performance.now() - started);
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
    shown.textContent = `${response.status} in ${took} ms, request ${response.headers.get("x-request-id")}\n\n${pretty}`;
  } catch (error) {
    shown.textContent = `Not sent: ${error.message}`;
  }
}

function trial(api, method, path, item, operation) {
  const inputs = parameters(api, item, operation).filter((parameter) => parameter.in !== "header")
    .map((parameter) => [parameter, element("input", { placeholder: parameter.in, required: !!parameter.required })]);
  const schema = bodySchema(api, operation);
  const body = schema && element("textarea", { rows: 8, spellcheck: false, value: JSON.stringify(example(api, schema), null, 2) });
  const shown = element("pre", { hidden: true });
  const button = element("button", { type: "button", textContent: "Send" });
  button.addEventListener("click", () => {
    shown.hidden = false;
    send(method, path, inputs, body, shown);
  });
  const fields = inputs.map(([parameter, input]) => element("label", {}, `${parameter.name} `, input));
  return element("div", {}, ...fields, body, element("p", {}, button), shown);
}

function show(api, method, path, item) {
  const operation = item[method];
  const open = Array.isArray(operation.security) && operation.security.every((need) => Object.keys(need).length === 0);
  const title = element("summary", {}, element("span", { className: "method", textContent: method.toUpperCase() }),
    code(path), ` ${operation.summary || ""}`, open ? element("span", { className: "note", textContent: " (no token)" }) : "");
  const box = element("details", {}, title);
  box.dataset.words = `${method} ${path} ${operation.summary || ""} ${operation.description || ""}`.toLowerCase();
  // Filled when it is first opened, so that a large document shows at once.
  box.addEventListener("toggle", () => {
    if (box.childElementCount > 1) return;
    const schema = bodySchema(api, operation);
    box.append(
      element("p", { textContent: operation.description || "" }),
      ...(schema ? [element("h4", { textContent: "Body" }), block(lookUp(api, schema))] : []),
      element("h4", { textContent: "Answers" }), answers(api, operation),
      element("h4", { textContent: "Try it" }), trial(api, method, path, item, operation));
  });
  return box;
}

async function start() {
  const api = await (await fetch("/openapi.json", { credentials: "omit" })).json();
  document.title = api.info.title;
  byId("title").replaceChildren(`${api.info.title} `, element("small", { textContent: api.info.version }));
  byId("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = (item[method].tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), show(api, method, path, item)]);
    }
  }
  byId("operations").replaceChildren(
    ...[...groups].map(([tag, boxes]) => element("section", {}, element("h2", { textContent: tag }), ...boxes)));
  const schemas = Object.entries((api.components && api.components.schemas) || {});
  byId("schemas").replaceChildren(
    ...schemas.map(([name, schema]) => element("details", {}, element("summary", {}, code(name)), block(schema))));
  byId("search").addEventListener("input", (event) => {
    const word = event.target.value.toLowerCase();
    for (const box of document.querySelectorAll("[data-words]")) box.hidden = !box.dataset.words.includes(word);
  });
}

start().catch((error) => { byId("operations").textContent = `The document could not be read: ${error.message}`; });
