//! Extractors for query, path and body of a request. They check the values and add them to the OpenAPI document.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, RequestBody, SchemaObject};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use axum::body::Bytes;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use schemars::{JsonSchema, Schema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::coerce::coerce;
use super::problem::Problem;
use crate::{decimal, decode};

/// Query parameters.
pub(super) struct Query<T>(pub(super) T);
/// Path parameters.
pub(super) struct Path<T>(pub(super) T);
/// A JSON body. It may be omitted if no field is required.
pub(super) struct Body<T>(pub(super) T);
/// The fields of a form.
pub(super) struct Form<T>(pub(super) T);
/// A JSON body with values for recipes. Numbers that a double cannot represent are refused.
pub(super) struct RecipeBody<T>(pub(super) T);

/// Converts given values to a wire type.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(
    given: &Map<String, Value>,
    place: &str,
) -> Result<T, Problem> {
    let values = coerced(&schema_for!(T), given, place)?;
    // Checks beyond the schema are done by the type itself.
    serde_json::from_value(values).map_err(|error| refused_by_type(&error, given, place))
}

// The next ones work for values of any type. In the generic code around them, they would be compiled for each wire type.

fn query(uri: &Uri) -> Result<Map<String, Value>, Problem> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Problem::bad_request(&error.to_string()))?;
    Ok(texts(pairs.0))
}

fn texts(pairs: Vec<(String, String)>) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

async fn form<S: Send + Sync>(request: Request, state: &S) -> Result<Map<String, Value>, Problem> {
    let pairs = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
    let pairs = pairs.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    Ok(texts(pairs.0))
}

fn path(
    uri: &Uri,
    found: Result<RawPathParams, RawPathParamsRejection>,
) -> Result<Map<String, Value>, Problem> {
    let found = found
        .map_err(|error| Problem::wrong("value_error", &["path"], &error.to_string(), &json!(uri.path())))?;
    Ok(found.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn coerced(schema: &Schema, given: &Map<String, Value>, place: &str) -> Result<Value, Problem> {
    let refuse = |problems| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problems);
    coerce(schema.as_value(), given, place).map_err(refuse)
}

fn refused_by_type(error: &serde_json::Error, given: &Map<String, Value>, place: &str) -> Problem {
    Problem::wrong("value_error", &[place], &error.to_string(), &json!(given))
}

impl<S: Sync, T: DeserializeOwned + JsonSchema> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&query(&parts.uri)?, "query").map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = RawPathParams::from_request_parts(parts, state).await;
        read(&path(&parts.uri, found)?, "path").map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        read_body(&bytes(request, state).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        read(&form(request, state).await?, "body").map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema + 'static> FromRequest<S> for RecipeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes(request, state).await?;
        let changed = std::str::from_utf8(&bytes).ok().and_then(decimal::changed_in_json);
        if let Some((number, printed)) = changed {
            let (message, hint) = decimal::changed_words(&number, &printed);
            let why = format!("{message}; {hint}");
            return Err(Problem::wrong("value_error", &["body"], &why, &json!(number)));
        }
        let given = object(&bytes)?;
        refuse_unknown::<T>(&given)?;
        read(&given, "body").map(Self)
    }
}

/// Refuses fields that a body does not have. A misspelt `parameters` would otherwise start a run with other values than the
/// client wants.
fn refuse_unknown<T: JsonSchema + 'static>(given: &Map<String, Value>) -> Result<(), Problem> {
    let known = decode::fields::<T>();
    if known.is_empty() {
        return Ok(());
    }
    let unknown = given.iter().filter(|(name, _)| !known.contains(*name));
    let problems: Vec<Value> = unknown
        .map(|(name, value)| {
            let hint = decode::suggestion(name, known.iter().map(String::as_str));
            let message = format!("unknown field `{name}`: {hint}");
            json!({ "type": "extra_forbidden", "loc": ["body", name], "msg": message, "input": value })
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problems)) }
}

/// Refuses a range whose first value is not below its last one. An instrument would move one of them.
pub(super) fn refuse_reversed(first: (&str, Option<f64>), last: (&str, Option<f64>)) -> Result<(), Problem> {
    match (first, last) {
        ((start, Some(from)), (stop, Some(to))) if from >= to => {
            let message = format!("{start} {from} is not allowed with {stop} {to} (the start must be lower)");
            Err(Problem::bad_request(&message))
        }
        _ => Ok(()),
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let read = Bytes::from_request(request, state).await;
    read.map_err(|error| Problem::new(error.status(), error.body_text()))
}

fn read_body<T: DeserializeOwned + JsonSchema>(bytes: &[u8]) -> Result<T, Problem> {
    read(&object(bytes)?, "body")
}

/// The fields of a body. Nothing and null count as an object without fields.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    // Some clients send the byte order mark of a file.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let body = if bytes.is_empty() { Ok(json!({})) } else { serde_json::from_slice(bytes) };
    match body {
        Ok(Value::Object(given)) => Ok(given),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(Problem::wrong("dict_type", &["body"], "an object is required", &other)),
        Err(error) => {
            let why = format!("this is not JSON: {error}");
            Err(Problem::wrong("json_invalid", &["body"], &why, &Value::Null))
        }
    }
}

impl<T: JsonSchema> OperationInput for RecipeBody<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Body::<T>::operation_input(ctx, operation);
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }
}

impl<T: JsonSchema> OperationInput for Path<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        describe_body::<T>(ctx, operation, "application/json");
    }
}

impl<T: JsonSchema> OperationInput for Form<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        describe_body::<T>(ctx, operation, "application/x-www-form-urlencoded");
    }
}

fn describe_body<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation, media_type: &str) {
    let json_schema = ctx.schema.subschema_for::<T>();
    let required = ctx.resolve_schema(&json_schema).get("required").is_some();
    let schema = SchemaObject { json_schema, external_docs: None, example: None };
    let media = MediaType { schema: Some(schema), ..MediaType::default() };
    let body = RequestBody {
        content: [(media_type.to_owned(), media)].into_iter().collect(),
        required,
        ..RequestBody::default()
    };
    set_body(ctx, operation, body);
}
