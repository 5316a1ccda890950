/**
 * The part of JSR's `@std/assert` that the tests use, over what Deno ships: same names, signatures, meaning.
 *
 * Equality is upstream's: `0` equals `-0`, a plain object equals one without a prototype, otherwise constructors
 * must agree. Only the text of a failure differs (the diff is Node's).
 *
 * @module
 */
import { AssertionError as NodeAssertionError } from "node:assert";

/** Thrown by every assertion that does not hold. */
export class AssertionError extends Error {
  /** Takes the message, and the cause as every `Error` does. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Anything with a length and indexed elements: what {@linkcode assertArrayIncludes} compares. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** What JavaScript takes for false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** A class, abstract or not, whose instances are `T`. */
// deno-lint-ignore no-explicit-any -- a constructor of any parameters, as upstream has it
export type AnyConstructor<T = unknown> = abstract new (...args: any[]) => T;

const inspect = (value: unknown): string => Deno.inspect(value, { depth: 10, strAbbreviateSize: 1000 });
const suffix = (message: string | undefined): string => message ? `: ${message}` : ".";

/** Throws with `text`, and with the caller's message after it. */
function refuse(text: string, message: string | undefined): never {
  throw new AssertionError(`${text}${suffix(message)}`);
}

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Asserts that `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails always. */
export function fail(msg?: string): never {
  refuse("Failed assertion", msg);
}

/** Fails because control came where it must not. */
export function unreachable(reason?: string): never {
  refuse("Unreachable", reason);
}

/** Asserts that the two values are deeply equal (see {@linkcode equal}). */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  const { message } = new NodeAssertionError({ actual, expected, operator: "deepStrictEqual" });
  throw new AssertionError(`Values are not equal${suffix(msg)}\n${message}`);
}

/** Asserts that the two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) {
    refuse(`Expected actual: ${inspect(actual)} not to be: ${inspect(expected)}`, msg);
  }
}

/** Asserts that the two are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const { message } = new NodeAssertionError({ actual, expected, operator: "strictEqual" });
  throw new AssertionError(`Values are not strictly equal${suffix(msg)}\n${message}`);
}

/** Asserts that the value is neither `null` nor `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    refuse(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

/** Asserts that the value is an instance of the class. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const found = actual === null || typeof actual !== "object" ? typeof actual : actual.constructor?.name;
  refuse(`Expected object to be an instance of "${expectedType.name}" but was "${found}"`, msg);
}

/** Asserts that the text matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Asserts that the text does not match. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) refuse(`Expected actual: "${actual}" to not match: "${expected}"`, msg);
}

/** Asserts that the text contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Asserts that each element of `expected` deeply equals some element of `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const held = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !held.some((element) => equal(element, wanted)));
  if (missing.length === 0) return;
  refuse(
    `Expected actual: ${inspect(actual)} to include: ${inspect(expected)}; missing: ${inspect(missing)}`,
    msg,
  );
}

/** Asserts that `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(`Expect ${inspect(actual)} > ${inspect(expected)}`, msg);
}

/** Asserts that `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) refuse(`Expect ${inspect(actual)} >= ${inspect(expected)}`, msg);
}

/** Asserts that `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(`Expect ${inspect(actual)} < ${inspect(expected)}`, msg);
}

/** Asserts that `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) refuse(`Expect ${inspect(actual)} <= ${inspect(expected)}`, msg);
}

/** Asserts that the value is an `Error`, of a class and with a message that contains a text where they are given. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: AnyConstructor<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    refuse(`Expected "error" to be an Error object but was: ${inspect(error)}`, msg);
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const found = `"${error.constructor?.name}" (${error.message})`;
    refuse(`Expected error to be instance of "${ErrorClass.name}", but was ${found}`, msg);
  }
  if (msgMatches === undefined) return;
  const holds = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (!holds) {
    refuse(
      `Expected error message to include ${inspect(msgMatches)}, but got ${inspect(error.message)}`,
      msg,
    );
  }
}

/** The optional class, message and note of `assertThrows` and `assertRejects`, as both overloads give them. */
type Expected = [classOrNote?: AnyConstructor<Error> | string, includes?: string, note?: string];

/** Asserts that `fn` throws, and returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that `fn` throws an error of the class, whose message contains `msgIncludes`, and returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ...expected: Expected): unknown {
  try {
    fn();
  } catch (error) {
    return checkThrown(error, expected);
  }
  return refuse("Expected function to throw", noteOf(expected));
}

/** Asserts that `fn` returns a promise that rejects, and returns the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Asserts that `fn` returns a promise that rejects with such an error, and returns it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(fn: () => PromiseLike<unknown>, ...expected: Expected): Promise<unknown> {
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
    await promise;
  } catch (error) {
    if (promise === undefined) refuse("Function throws when expected to reject", noteOf(expected));
    return checkThrown(error, expected);
  }
  return refuse("Expected function to reject", noteOf(expected));
}

/** The caller's message: the only argument of the short form, the last of the long one. */
function noteOf([classOrNote, , note]: Expected): string | undefined {
  return typeof classOrNote === "string" ? classOrNote : note;
}

function checkThrown(error: unknown, [ErrorClass, includes, note]: Expected): unknown {
  if (typeof ErrorClass === "function") {
    if (!(error instanceof Error)) refuse("A non-Error object was thrown or rejected", note);
    assertIsError(error, ErrorClass, includes, note);
  }
  return error;
}

/** Whether the two values are deeply equal, as {@linkcode assertEquals} understands it. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

/** `seen` holds the pairs under comparison, so that cycles end. */
function compare(a: unknown, b: unknown, seen: Map<unknown, unknown>): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!sameKind(a, b)) return false;
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError("cannot compare WeakMap or WeakSet instances");
  }
  if (a instanceof WeakRef) return compare(a.deref(), (b as WeakRef<object>).deref(), seen);
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Map) return sameMaps(a, b as Map<unknown, unknown>, seen);
  if (a instanceof Set) return sameSets(a, b as Set<unknown>, seen);
  if (a instanceof Error && a.message !== (b as Error).message) return false;
  if (ArrayBuffer.isView(a) && !(a instanceof DataView)) return sameElements(a, b);
  if (a instanceof ArrayBuffer) return sameElements(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  return sameProperties(a, b, seen);
}

/** One constructor, where a missing prototype counts as `Object`. */
function sameKind(a: object, b: object): boolean {
  const kind = (value: object): unknown => value.constructor ?? Object;
  return kind(a) === kind(b);
}

/** Typed arrays of numbers, element by element: they are long, so without recursion. */
function sameElements(a: object, b: object): boolean {
  const left = a as ArrayLike<number | bigint>, right = b as ArrayLike<number | bigint>;
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i] && !Object.is(left[i], right[i])) return false;
  }
  return true;
}

function sameProperties(a: object, b: object, seen: Map<unknown, unknown>): boolean {
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  const keys = enumerableKeys(a);
  return keys.length === enumerableKeys(b).length &&
    keys.every((key) => key in b && compare(Reflect.get(a, key), Reflect.get(b, key), seen));
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

/** Pairs off equal elements; equality is transitive, so the first that fits is as good as any. */
function sameSets(a: Set<unknown>, b: Set<unknown>, seen: Map<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  const left = [...a].filter((value) => !b.has(value)), right = [...b].filter((value) => !a.has(value));
  return left.every((value) => {
    const match = right.findIndex((other) => compare(value, other, new Map(seen)));
    if (match >= 0) right.splice(match, 1);
    return match >= 0;
  });
}

function sameMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, seen: Map<unknown, unknown>): boolean {
  return a.size === b.size &&
    [...a].every(([key, value]) =>
      b.has(key)
        ? compare(value, b.get(key), seen)
        : [...b].some(([other, held]) =>
          compare(key, other, new Map(seen)) && compare(value, held, new Map(seen))
        )
    );
}
