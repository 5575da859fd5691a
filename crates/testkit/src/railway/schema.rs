//! The part of Railway's schema that the stub knows.

use super::graphql::{Field, Schema};

const fn field(name: &'static str, kind: &'static str) -> Field {
    Field { name, arguments: &[], kind }
}

/// Names and types as Railway's schema has them.
pub(super) const SCHEMA: Schema = &[
    (
        "Query",
        &[
            field("projectToken", "ProjectToken!"),
            Field {
                name: "variables",
                arguments: &[
                    ("projectId", "String!"),
                    ("environmentId", "String!"),
                    ("serviceId", "String"),
                    ("unrendered", "Boolean"),
                ],
                kind: "EnvironmentVariables!",
            },
            Field {
                name: "tcpProxies",
                arguments: &[("environmentId", "String!"), ("serviceId", "String!")],
                kind: "[TCPProxy!]!",
            },
            Field { name: "environment", arguments: &[("id", "String!")], kind: "Environment!" },
            Field { name: "project", arguments: &[("id", "String!")], kind: "Project!" },
        ],
    ),
    (
        "Mutation",
        &[
            Field {
                name: "variableUpsert",
                arguments: &[("input", "VariableUpsertInput!")],
                kind: "Boolean!",
            },
            Field {
                name: "serviceInstanceRedeploy",
                arguments: &[("environmentId", "String!"), ("serviceId", "String!")],
                kind: "Boolean!",
            },
        ],
    ),
    (
        "ProjectToken",
        &[
            field("id", "ID!"),
            field("name", "String!"),
            field("projectId", "ID!"),
            field("environmentId", "ID!"),
        ],
    ),
    (
        "VariableUpsertInput",
        &[
            field("projectId", "String!"),
            field("environmentId", "String!"),
            field("serviceId", "String"),
            field("name", "String!"),
            field("value", "String!"),
            field("skipDeploys", "Boolean"),
        ],
    ),
    (
        "TCPProxy",
        &[
            field("id", "ID!"),
            field("domain", "String!"),
            field("proxyPort", "Int!"),
            field("applicationPort", "Int!"),
            field("serviceId", "String!"),
            field("environmentId", "String!"),
            field("syncStatus", "TCPProxySyncStatus!"),
            field("createdAt", "DateTime"),
            field("updatedAt", "DateTime"),
            field("deletedAt", "DateTime"),
        ],
    ),
    (
        "Environment",
        &[field("id", "ID!"), field("name", "String!"), field("serviceInstances", "ServiceInstances!")],
    ),
    ("ServiceInstances", &[field("edges", "[ServiceInstanceEdge!]!"), field("pageInfo", "PageInfo!")]),
    ("PageInfo", &[field("hasNextPage", "Boolean!")]),
    ("ServiceInstanceEdge", &[field("node", "ServiceInstance!")]),
    (
        "ServiceInstance",
        &[field("id", "ID!"), field("serviceId", "String!"), field("serviceName", "String!")],
    ),
    ("Project", &[field("id", "ID!"), field("name", "String!"), field("services", "Services!")]),
    ("Services", &[field("edges", "[ServiceEdge!]!")]),
    ("ServiceEdge", &[field("node", "Service!")]),
    ("Service", &[field("id", "ID!"), field("name", "String!")]),
];
