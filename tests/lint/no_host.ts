/** Rule `no-host`: the machine and what runs on it see no host time, randomness, files, promises or inexact arithmetic. */
import { isReference, type Node, Scopes } from "./scope.ts";
import { repositoryPath } from "./path.ts";

/** The folders whose results must depend on configuration, images and inputs alone. */
const PURE = /^(machine|hypervisor|firmware)\//;

/** Globals that let the host in, with the reason given. A name declared in the file itself is not the global. */
const GLOBALS: Record<string, string> = {
  ...forEach("host time; time comes from the machine's clock", ["Date", "performance", "Temporal"]),
  ...forEach("a host timer; deadlines are alarms on the machine's clock", [
    "setTimeout",
    "setInterval",
    "clearTimeout",
    "clearInterval",
    "setImmediate",
    "clearImmediate",
    "queueMicrotask",
    "requestAnimationFrame",
  ]),
  ...forEach("asynchronous; what waits belongs to cli/host", [
    "Promise",
    "Worker",
    "MessageChannel",
    "BroadcastChannel",
  ]),
  ...forEach("the host's randomness; draw from the machine's seed", ["crypto"]),
  ...forEach("the host; files, network and environment belong to cli/host", [
    "Deno",
    "process",
    "navigator",
    "fetch",
    "WebSocket",
    "EventSource",
    "XMLHttpRequest",
    "localStorage",
    "sessionStorage",
    "caches",
    "location",
    "prompt",
    "confirm",
    "alert",
  ]),
  ...forEach("the host's locale", ["Intl"]),
  ...forEach("dependent on the garbage collector", ["WeakRef", "FinalizationRegistry"]),
  ...forEach("a way around this rule", ["globalThis", "window", "self", "eval"]),
};

/** Members of a global that are pure; every other one is refused, and so is the global by itself. */
const MEMBERS: Record<string, { pure: ReadonlySet<string>; reason: string }> = {
  Math: {
    pure: new Set([
      "abs",
      "min",
      "max",
      "floor",
      "ceil",
      "trunc",
      "round",
      "sign",
      "imul",
      "clz32",
      "fround",
    ]),
    reason: "not exact on every host",
  },
  WebAssembly: {
    pure: new Set([
      ...["Module", "Instance", "Memory", "Table", "Global", "Tag", "Exception"],
      ...["validate", "CompileError", "LinkError", "RuntimeError"],
    ]),
    reason: "asynchronous; use new WebAssembly.Module and new WebAssembly.Instance",
  },
};

/** Members that are refused on any object. */
const BANNED_MEMBERS: [pattern: RegExp, reason: string][] = [
  [/^(stack|captureStackTrace|prepareStackTrace)$/, "the host's call stack"],
  [/^toLocale|^localeCompare$/, "dependent on the host's locale"],
];

/** Packages that may be imported here, with the names that may be taken (null: any). */
const PACKAGES: Record<string, readonly string[] | null> = {
  zod: null,
  // Signatures are drawn by chance but with Ed25519, where they follow from key and message (RFC 8032).
  "node:crypto": ["createHash", "createCipheriv", "createPrivateKey", "createPublicKey", "sign"],
};

/** The rule. */
export const noHost: Deno.lint.Rule = {
  create(context) {
    if (!PURE.test(repositoryPath(context.filename))) return {};
    const scopes = new Scopes();
    const names: Deno.lint.Identifier[] = [];
    const refuse = (node: Node, what: string, why: string): void =>
      context.report({
        node,
        message: `${what} is ${why}`,
        hint: "machine/, hypervisor/ and firmware/ are pure",
      });
    const refuseAsync = (node: { async: boolean } & Node): void => {
      if (node.async) refuse(node, "An async function", "asynchronous; what waits belongs to cli/host");
    };
    return {
      "*": (node: Node) => scopes.visit(node),
      Identifier: (node) => void (isReference(node) && names.push(node)),
      FunctionDeclaration: refuseAsync,
      FunctionExpression: refuseAsync,
      ArrowFunctionExpression: refuseAsync,
      AwaitExpression: (node) => refuse(node, "await", "asynchronous; what waits belongs to cli/host"),
      ForOfStatement(node) {
        if (node.await) refuse(node, "for await", "asynchronous; what waits belongs to cli/host");
      },
      ImportExpression: (node) => refuse(node, "import()", "asynchronous; import at the top of the file"),
      MetaProperty(node) {
        if (context.sourceCode.getText(node) === "import.meta") {
          refuse(node, "import.meta", "the host's file name");
        }
      },
      MemberExpression(node) {
        const name = memberName(node);
        for (const [pattern, reason] of BANNED_MEMBERS) {
          if (name !== undefined && pattern.test(name)) refuse(node, `.${name}`, reason);
        }
      },
      BinaryExpression(node) {
        if (node.operator === "**" && !isExactBase(node.left)) refuse(node, "**", "not exact on every host");
      },
      AssignmentExpression(node) {
        if (node.operator === "**=") refuse(node, "**=", "not exact on every host");
      },
      ImportDeclaration: (node) => checkImport(node, refuse),
      ExportNamedDeclaration: (node) => checkImport(node, refuse),
      ExportAllDeclaration: (node) => checkImport(node, refuse),
      "Program:exit"() {
        const globals = names.filter((node) => scopes.resolve(node) === undefined);
        const seen = new Set<number>(); // a shorthand property is visited as key and as value
        for (const node of globals) {
          if (!seen.has(node.range[0])) checkGlobal(node, refuse);
          seen.add(node.range[0]);
        }
      },
    };
  },
};

type Refuse = (node: Node, what: string, why: string) => void;

function forEach(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}

function checkGlobal(node: Deno.lint.Identifier, refuse: Refuse): void {
  const reason = Object.hasOwn(GLOBALS, node.name) ? GLOBALS[node.name] : undefined;
  if (reason !== undefined) return refuse(node, node.name, reason);
  const members = Object.hasOwn(MEMBERS, node.name) ? MEMBERS[node.name] : undefined;
  if (members === undefined) return;
  const member = node.parent;
  // `WebAssembly.Memory` as a type is a qualified name.
  const name = member.type === "MemberExpression" && member.object === node
    ? memberName(member)
    : member.type === "TSQualifiedName" && member.right.type === "Identifier"
    ? member.right.name
    : undefined;
  if (name === undefined) refuse(node, node.name, `to be used as ${node.name}.name only`);
  else if (!members.pure.has(name)) refuse(member, `${node.name}.${name}`, members.reason);
}

/** The name a member expression takes, where it is written in the source. */
function memberName({ computed, property }: Deno.lint.MemberExpression): string | undefined {
  if (!computed && property.type === "Identifier") return property.name;
  return property.type === "Literal" && typeof property.value === "string" ? property.value : undefined;
}

/** Powers of two are exact, and so is all BigInt arithmetic. */
function isExactBase(node: Node): boolean {
  return node.type === "Literal" && (node.value === 2 || typeof node.value === "bigint");
}

function checkImport(
  node: Deno.lint.ImportDeclaration | Deno.lint.ExportNamedDeclaration | Deno.lint.ExportAllDeclaration,
  refuse: Refuse,
): void {
  const source = node.source?.value;
  if (source === undefined || /^\.{0,2}\//.test(source)) return;
  const allowed = Object.hasOwn(PACKAGES, source) ? PACKAGES[source] : undefined;
  if (allowed === null) return;
  if (allowed === undefined) {
    return refuse(node, `"${source}"`, "outside the machine; only zod and node:crypto may be imported here");
  }
  const specifiers = "specifiers" in node ? node.specifiers : [];
  const taken = specifiers.map((specifier) => importedName(specifier));
  const isPure = taken.length > 0 && taken.every((name) => allowed.includes(name));
  if (!isPure) refuse(node, `"${source}"`, `to be imported for ${allowed.join(" and ")} only, each by name`);
}

function importedName(specifier: Node): string {
  const name = specifier.type === "ImportSpecifier"
    ? specifier.imported
    : specifier.type === "ExportSpecifier"
    ? specifier.local
    : undefined;
  return name?.type === "Identifier" ? name.name : "";
}
