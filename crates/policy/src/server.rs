//! The path that `servers` (OpenAPI 3) or `basePath` (Swagger 2.0) puts before every path of a document.

use serde::Deserialize;

use crate::openapi::text::{Entries, Text};

/// A Server Object.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Server {
    #[serde(default)]
    url: Text,
    #[serde(default)]
    variables: Option<Entries<Variable>>,
}

/// A Server Variable Object.
#[derive(Debug, Clone, Default, Deserialize)]
struct Variable {
    #[serde(default)]
    default: Text,
    #[serde(default, rename = "enum")]
    values: Option<Vec<Text>>,
}

/// More spellings of one server's path than any document needs.
const MAXIMUM_PATHS: usize = 64;

/// The distinct paths of these servers, without a slash at the end; the root is the empty string.
///
/// A variable in the path stands for its default and for each value of its `enum`; elsewhere for its default.
pub(crate) fn base_paths(servers: &[Server]) -> Result<Vec<String>, String> {
    let mut paths: Vec<String> = Vec::new();
    for server in servers {
        for url in server.urls()? {
            let path = path_of(&url)?;
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// `basePath`, likewise.
pub(crate) fn base_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') || text.is_empty() {
        path_of(text)
    } else {
        Err(format!("basePath {text:?} does not begin with a slash"))
    }
}

impl Server {
    fn urls(&self) -> Result<Vec<String>, String> {
        let mut urls = vec![String::new()];
        let mut rest = self.url.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind
                .split_once('}')
                .ok_or_else(|| format!("server {:?} has a brace without partner", self.url))?;
            let variable = self.variables.as_ref().and_then(|variables| variables.find(name));
            let variable = variable
                .filter(|variable| !variable.default.as_str().is_empty())
                .ok_or_else(|| format!("server {:?} has a variable {name:?} without a default", self.url))?;
            let mut values = vec![variable.default.as_str()];
            values.extend(
                variable
                    .values
                    .iter()
                    .flatten()
                    .map(Text::as_str)
                    .filter(|v| *v != variable.default.as_str()),
            );
            if urls.len() * values.len() > MAXIMUM_PATHS {
                // Hosts and ports may have many values; only their default matters to a path.
                values.truncate(1);
            }
            urls = urls
                .iter()
                .flat_map(|url| values.iter().map(move |value| format!("{url}{before}{value}")))
                .collect();
            rest = after;
        }
        urls.iter_mut().for_each(|url| url.push_str(rest));
        Ok(urls)
    }
}

/// The path of an absolute or relative URL. A relative one is taken from the root, as the document's own address is
/// not known.
fn path_of(url: &str) -> Result<String, String> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let path = match url.split_once("://").map(|(_, behind)| behind).or_else(|| url.strip_prefix("//")) {
        Some(behind) => behind.find('/').map_or("", |slash| &behind[slash..]),
        None => url,
    };
    let path = path.strip_prefix("./").unwrap_or(if path == "." { "" } else { path });
    let path = path.trim_end_matches('/');
    let path = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None if path.is_empty() => String::new(),
        None => format!("/{path}"),
    };
    if path.is_empty() {
        return Ok(path);
    }
    match crate::path::normalise(&path) {
        Ok(_) => Ok(path),
        Err(reason) => Err(format!("server {url:?}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(json: &str) -> Result<Vec<String>, String> {
        base_paths(&serde_json::from_str::<Vec<Server>>(json).unwrap())
    }

    #[test]
    fn the_path_of_a_server() {
        let cases = [
            ("https://a.example", ""),
            ("https://a.example/", ""),
            ("https://a.example/v1", "/v1"),
            ("https://a.example:8080/v1/", "/v1"),
            ("https://a.example/v1?x#y", "/v1"),
            ("//a.example/v1", "/v1"),
            ("/", ""),
            ("", ""),
            ("/v1/x", "/v1/x"),
            ("v1", "/v1"),
            ("./v1", "/v1"),
            (".", ""),
            ("./", ""),
        ];
        for (url, path) in cases {
            assert_eq!(paths(&format!("[{{\"url\": {url:?}}}]")).unwrap(), [path], "{url}");
        }
        assert!(paths(r#"[{"url": "../v1"}]"#).is_err());
        assert!(paths(r#"[{"url": "https://a/x//y"}]"#).is_err());
    }

    #[test]
    fn variables_have_defaults_and_values() {
        let host = r#"{"url": "{scheme}://{host}/api", "variables":
            {"scheme": {"default": "https", "enum": ["https", "http"]}, "host": {"default": "a.example"}}}"#;
        assert_eq!(paths(&format!("[{host}]")).unwrap(), ["/api"]);
        let path = r#"{"url": "https://a/{v}", "variables": {"v": {"default": "v2", "enum": ["v1", "v2"]}}}"#;
        assert_eq!(paths(&format!("[{path}]")).unwrap(), ["/v2", "/v1"]);
        let number = r#"{"url": "https://a:{port}/{v}", "variables": {"v": {"default": 2}, "port": {"default": 443}}}"#;
        assert_eq!(paths(&format!("[{number}]")).unwrap(), ["/2"]);
        assert!(paths(r#"[{"url": "https://a/{v}"}]"#).is_err());
        assert!(paths(r#"[{"url": "https://a/{v", "variables": {"v": {"default": "1"}}}]"#).is_err());
    }

    #[test]
    fn several_servers_are_told_apart_by_path() {
        let json = r#"[{"url": "https://a/v1"}, {"url": "https://b/v1/"}, {"url": "/v2"}]"#;
        assert_eq!(paths(json).unwrap(), ["/v1", "/v2"]);
    }
}
