// @ts-check
// The page of the API: the paths of its description, to read and to try.

const { SwaggerUIBundle } = /** @type {any} */ (globalThis);

SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  showCommonExtensions: true,
  // The library would load a badge from another host.
  validatorUrl: null,
});
