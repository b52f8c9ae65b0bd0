// Calls of the JSON API.

/**
 * An error message, and the form field it is about.
 * @typedef {{ detail: string, field?: string }} ApiError
 */

/**
 * The members of an answer by name.
 * @typedef {Record<string, unknown>} Answer
 */

/**
 * The outcome of a call: an answer or an error.
 * @template Body
 * @typedef {{ answer: Body, error: null } | { answer: null, error: ApiError }} Outcome
 */

/**
 * Calls the API.
 * @template [Body=Answer]
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<Outcome<Body>>}
 */
export async function call(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = response.status === 204 ? {} : await response.json();
    return response.ok ? { answer, error: null } : { answer: null, error: answer };
  } catch {
    return {
      answer: null,
      error: { detail: "The server could not be reached. Check your connection and try again." },
    };
  }
}
