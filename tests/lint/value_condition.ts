/**
 * Rule `value-condition`: an IR `Value` is what an instruction will compute, so it has no truth when the IR is built.
 *
 * The compiler refuses `if (v)` and its like only while the body does not mention `v`, and never refuses `!v` or
 * `while (v)`; this rule has no types and goes by annotations, calls on the builder and what follows from them.
 */
import { type Binding, type Node, Scopes, unwrap } from "./scope.ts";
import { repositoryPath } from "./path.ts";

/** Where IR is built or handled. */
const FOLDERS = /^machine\//;

/** The rule. */
export const valueCondition: Deno.lint.Rule = {
  create(context) {
    if (!FOLDERS.test(repositoryPath(context.filename))) return {};
    const values = new Values();
    const conditions: Node[] = [];
    const test = ({ test }: { test: Node | null }): void => void (test && conditions.push(test));
    return {
      "*": (node: Node) => values.scopes.visit(node),
      IfStatement: test,
      ConditionalExpression: test,
      WhileStatement: test,
      DoWhileStatement: test,
      ForStatement: test,
      LogicalExpression: (node) => void conditions.push(node.left),
      UnaryExpression: (node) => void (node.operator === "!" && conditions.push(node.argument)),
      CallExpression(node) {
        const [argument] = node.arguments;
        if (node.callee.type === "Identifier" && node.callee.name === "Boolean" && argument) {
          conditions.push(argument);
        }
      },
      "Program:exit"() {
        values.scopes.finish();
        for (const node of conditions) {
          if (!values.isValue(node)) continue;
          const message = `${
            context.sourceCode.getText(node)
          } is an IR Value, which is known at run time only`;
          context.report({ node, message, hint: "select between Values with ir.select" });
        }
      },
    };
  },
};

/** Calls on the builder whose results are known when the IR is built. */
const DECODE_TIME = new Set(["widthOf"]);

/** Which expressions of one file are Values. */
class Values {
  readonly scopes: Scopes = new Scopes();
  /** Bindings under examination, so that `a = b; b = a` ends. */
  readonly #open: Set<Binding> = new Set();

  isValue(node: Node): boolean {
    if (
      (node.type === "TSAsExpression" || node.type === "TSSatisfiesExpression") &&
      isValueType(node.typeAnnotation)
    ) return true;
    const inner = unwrap(node);
    switch (inner.type) {
      case "Identifier":
        return this.#holds(this.scopes.resolve(inner), isValueType, (from) => this.isValue(from));
      case "CallExpression":
        return this.#isBuilderCall(inner) || this.#returnsValue(inner.callee);
      case "ConditionalExpression":
        return this.isValue(inner.consequent) || this.isValue(inner.alternate);
      case "LogicalExpression":
        return this.isValue(inner.left) || this.isValue(inner.right);
      case "AssignmentExpression":
        return this.isValue(inner.right);
      case "SequenceExpression":
        return this.isValue(inner.expressions.at(-1)!);
      case "MemberExpression":
        return inner.computed && this.#isList(inner.object);
      default:
        return false;
    }
  }

  /** Whether the parts of this expression are Values. */
  #isList(node: Node): boolean {
    const inner = unwrap(node);
    if (inner.type === "Identifier") {
      return this.#holds(this.scopes.resolve(inner), isListType, (from) => this.#isList(from));
    }
    if (inner.type === "ArrayExpression") {
      return inner.elements.some((element) => element && this.isValue(element));
    }
    return inner.type === "CallExpression" && this.#isBuilderCall(inner);
  }

  /** Judges a binding by its type where one is written, else by what it starts as and is assigned. */
  #holds(
    binding: Binding | undefined,
    byType: (type: Node) => boolean,
    bySource: (from: Node) => boolean,
  ): boolean {
    if (!binding || this.#open.has(binding)) return false;
    if (binding.annotation) return byType(binding.annotation);
    this.#open.add(binding);
    const { source, isElement, assigned } = binding;
    const fromSource = source !== undefined && (isElement ? this.#isList(source) : bySource(source));
    const holds = fromSource || assigned.some(bySource);
    this.#open.delete(binding);
    return holds;
  }

  /** A call on `ir`, or on whatever is declared a `Builder`. */
  #isBuilderCall({ callee }: Deno.lint.CallExpression): boolean {
    const member = unwrap(callee);
    if (member.type !== "MemberExpression") return false;
    const object = unwrap(member.object), { property } = member;
    if (object.type !== "Identifier" || property.type === "Identifier" && DECODE_TIME.has(property.name)) {
      return false;
    }
    const annotation = this.scopes.resolve(object)?.annotation;
    return annotation ? isNamed(annotation, "Builder") : object.name === "ir";
  }

  /** A call of a function in this file that is declared to return a Value. */
  #returnsValue(callee: Node): boolean {
    const name = unwrap(callee);
    const binding = name.type === "Identifier" ? this.scopes.resolve(name) : undefined;
    const declared = binding?.source ?? binding?.declaration;
    const type = (declared as { returnType?: { typeAnnotation?: Node } } | undefined)?.returnType
      ?.typeAnnotation;
    return type !== undefined && isValueType(type);
  }
}

function isNamed(type: Node, name: string): boolean {
  return type.type === "TSTypeReference" && type.typeName.type === "Identifier" &&
    type.typeName.name === name;
}

/** `Value`, or a union with it. */
function isValueType(type: Node): boolean {
  return isNamed(type, "Value") || type.type === "TSUnionType" && type.types.some(isValueType);
}

/** `Value[]`, `readonly Value[]`, `[Value, …]`, `Array<Value>`. */
function isListType(type: Node): boolean {
  switch (type.type) {
    case "TSArrayType":
      return isValueType(type.elementType);
    case "TSTupleType":
      return type.elementTypes.some((element) =>
        isValueType(element.type === "TSNamedTupleMember" ? element.elementType : element)
      );
    case "TSTypeOperator":
      return isListType(type.typeAnnotation);
    case "TSTypeReference": {
      const [argument] = type.typeArguments?.params ?? [];
      return (isNamed(type, "Array") || isNamed(type, "ReadonlyArray")) && argument !== undefined &&
        isValueType(argument);
    }
    default:
      return false;
  }
}
