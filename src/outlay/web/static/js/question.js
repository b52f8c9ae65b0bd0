// The question that a page asks, as its address has it.

/** Parameters of the period and the filters. */
const PARAMETERS = new Set([
  "preset",
  "from",
  "to",
  "timezone",
  "projectId",
  "apiKeyId",
  "memberId",
  "userId",
  "groupId",
  "model",
  "mapping",
  "provider",
  "app",
  "endUser",
  "status",
]);

/**
 * Adds the page's period and filters to the parameters of another question.
 * @param {URLSearchParams} params
 * @param {string} [without] A parameter that is not added.
 */
export function addQuestion(params, without) {
  for (const [name, value] of new URL(location.href).searchParams)
    if (PARAMETERS.has(name) && name !== without) params.append(name, value);
}
