/** Suggestions for misspelled words, for whoever reads command lines. */
export { nearest, suggestion } from "../journal/suggest.ts";
