/** Which declaration a name in one file refers to: the scopes that the lint rules share. */

/** A node of the linter's syntax tree. */
export type Node = Deno.lint.Node;

/** One declared name. */
export interface Binding {
  readonly name: string;
  /** The source range in which the name is visible. */
  readonly scope: Deno.lint.Range;
  /** The node that declares it: declarator, parameter, function, class, import. */
  readonly declaration: Node;
  /** Its written type, if any. */
  readonly annotation: Node | undefined;
  /** What it starts as, if that is written; `isElement` when it is only a part of that. */
  readonly source: Node | undefined;
  readonly isElement: boolean;
  /** What is assigned to it later. */
  readonly assigned: Node[];
}

type Declared = Omit<Binding, "name" | "scope" | "assigned">;

/** Nodes whose declarations by `let`, `const`, `class` and `function` end with them. */
const BLOCKS = new Set<string>([
  "Program",
  "BlockStatement",
  "StaticBlock",
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "SwitchStatement",
  "TSModuleBlock",
]);

/** Nodes that name something where they stand. */
const NAMED = new Set<string>([
  "FunctionDeclaration",
  "TSDeclareFunction",
  "ClassDeclaration",
  "TSEnumDeclaration",
  "TSTypeAliasDeclaration",
  "TSInterfaceDeclaration",
  "TSModuleDeclaration",
]);

/** Positions of an identifier that are a label or a key and refer to nothing: parent type to property. */
const KEYS: Record<string, readonly string[]> = {
  MemberExpression: ["property"],
  Property: ["key"],
  MethodDefinition: ["key"],
  PropertyDefinition: ["key"],
  AccessorProperty: ["key"],
  TSAbstractMethodDefinition: ["key"],
  TSAbstractPropertyDefinition: ["key"],
  TSAbstractAccessorProperty: ["key"],
  TSPropertySignature: ["key"],
  TSMethodSignature: ["key"],
  TSEnumMember: ["id"],
  TSQualifiedName: ["right"],
  TSNamedTupleMember: ["label"],
  TSImportType: ["qualifier"],
  ImportSpecifier: ["imported"],
  ImportAttribute: ["key"],
  ExportSpecifier: ["exported"],
  ExportAllDeclaration: ["exported"],
  LabeledStatement: ["label"],
  BreakStatement: ["label"],
  ContinueStatement: ["label"],
  MetaProperty: ["meta", "property"],
};

/** Whether this identifier refers to a declaration or a global, rather than naming a member. */
export function isReference(node: Deno.lint.Identifier): boolean {
  const parent: Node & { computed?: boolean; shorthand?: boolean } = node.parent;
  if (parent.computed || parent.shorthand) return true;
  const keys = KEYS[parent.type] ?? [];
  return !keys.some((key) => Reflect.get(parent, key) === node);
}

/** The expression without casts, assertions and optional-chain wrappers. */
export function unwrap(node: Node): Node {
  switch (node.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "TSTypeAssertion":
    case "ChainExpression":
      return unwrap(node.expression);
    default:
      return node;
  }
}

/** The declarations of one file. Feed it every node, then resolve. */
export class Scopes {
  readonly #bindings: Map<string, Binding[]> = new Map();
  readonly #assignments: Deno.lint.AssignmentExpression[] = [];

  /** Notes what the node declares. */
  visit(node: Node): void {
    const { params } = node as { params?: Node[] };
    if (NAMED.has(node.type)) this.#declareName((node as { id?: Node | null }).id, node, enclosing(node));
    else if (node.type === "FunctionExpression" || node.type === "ClassExpression") {
      this.#declareName(node.id, node, node.range);
    } else if (node.type === "TSTypeParameter") {
      this.#declareName(node.name, node, node.parent.parent?.range ?? node.range);
    } else if (node.type === "VariableDeclarator") this.#declareVariable(node);
    else if (node.type === "CatchClause" && node.param) {
      this.#declarePattern(node.param, node.range, plain(node));
    } else if (node.type === "AssignmentExpression") this.#assignments.push(node);
    else if (node.type.startsWith("Import") && "local" in node) {
      this.#declareName(node.local, node, WHOLE_FILE);
    }
    if (!params || node.type.startsWith("TSTypeParameter")) return;
    for (const param of params) this.#declarePattern(param, node.range, plain(param));
  }

  /** Call after the last node: hands each assignment to the binding it changes. */
  finish(): void {
    for (const { left, right, operator } of this.#assignments) {
      if (left.type === "Identifier" && operator.endsWith("=")) this.resolve(left)?.assigned.push(right);
    }
  }

  /** The innermost declaration of the identifier's name around it, or undefined for a global. */
  resolve({ name, range }: Deno.lint.Identifier): Binding | undefined {
    const around = (this.#bindings.get(name) ?? []).filter(({ scope: [start, end] }) =>
      start <= range[0] && range[1] <= end
    );
    return around.reduce<Binding | undefined>(
      (a, b) => a && length(a.scope) < length(b.scope) ? a : b,
      undefined,
    );
  }

  #declareName(id: Node | null | undefined, declaration: Node, scope: Deno.lint.Range): void {
    if (id?.type !== "Identifier") return;
    this.#add(id.name, scope, plain(declaration));
  }

  #declareVariable(node: Deno.lint.VariableDeclarator): void {
    const list = node.parent, loop = list.parent;
    const isLoop = loop.type === "ForOfStatement" && loop.left === list;
    const source = isLoop ? loop.right : node.init ?? undefined;
    const scope = list.kind === "var" ? enclosingFunction(node) : enclosing(node);
    this.#declarePattern(node.id, scope, {
      declaration: node,
      annotation: undefined,
      source,
      isElement: isLoop,
    });
  }

  /** Declares every name of a pattern. */
  #declarePattern(pattern: Node, scope: Deno.lint.Range, declared: Declared): void {
    // `constructor(private a: A)`: the linter's types lack this node.
    const { parameter } = pattern as { parameter?: Node };
    if (parameter) return this.#declarePattern(parameter, scope, declared);
    switch (pattern.type) {
      case "Identifier":
        return this.#add(pattern.name, scope, {
          ...declared,
          annotation: pattern.typeAnnotation?.typeAnnotation ?? declared.annotation,
        });
      case "AssignmentPattern":
        return this.#declarePattern(pattern.left, scope, {
          ...declared,
          source: declared.source ?? pattern.right,
        });
      case "RestElement":
        return this.#declarePattern(pattern.argument, scope, {
          ...declared,
          annotation: pattern.typeAnnotation?.typeAnnotation,
        });
      case "ArrayPattern":
        for (const element of pattern.elements) {
          if (element) this.#declarePattern(element, scope, { ...declared, isElement: true });
        }
        return;
      case "ObjectPattern":
        for (const property of pattern.properties) {
          const inner = property.type === "Property" ? property.value : property;
          this.#declarePattern(inner, scope, { ...declared, source: undefined, isElement: true });
        }
    }
  }

  #add(name: string, scope: Deno.lint.Range, declared: Declared): void {
    const list = this.#bindings.get(name) ?? [];
    this.#bindings.set(name, [...list, { name, scope, assigned: [], ...declared }]);
  }
}

const WHOLE_FILE: Deno.lint.Range = [0, Infinity];

const length = ([start, end]: Deno.lint.Range): number => end - start;

const plain = (declaration: Node): Declared => ({
  declaration,
  annotation: undefined,
  source: undefined,
  isElement: false,
});

function isFunction(node: Node): boolean {
  return /Function(Declaration|Expression)$/.test(node.type);
}

function enclosing(node: Node): Deno.lint.Range {
  const { parent } = node as { parent?: Node };
  if (!parent || parent.type === "Program") return WHOLE_FILE;
  return BLOCKS.has(parent.type) ? parent.range : enclosing(parent);
}

function enclosingFunction(node: Node): Deno.lint.Range {
  const { parent } = node as { parent?: Node };
  if (!parent || parent.type === "Program") return WHOLE_FILE;
  return isFunction(parent) ? parent.range : enclosingFunction(parent);
}
