//! Kinds of manifests, and what the two update tools call them.

/// A kind of manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the tools")]
pub enum Ecosystem {
    Cargo,
    Npm,
    Bun,
    Pip,
    Uv,
    GoModules,
    Maven,
    Gradle,
    NuGet,
    Bundler,
    Composer,
    Docker,
    DockerCompose,
    Terraform,
    GitHubActions,
    GitSubmodules,
}

impl Ecosystem {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Cargo,
        Self::Npm,
        Self::Bun,
        Self::Pip,
        Self::Uv,
        Self::GoModules,
        Self::Maven,
        Self::Gradle,
        Self::NuGet,
        Self::Bundler,
        Self::Composer,
        Self::Docker,
        Self::DockerCompose,
        Self::Terraform,
        Self::GitHubActions,
        Self::GitSubmodules,
    ];

    /// Dependabot's `package-ecosystem`.
    #[must_use]
    pub fn dependabot(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::Bun => "bun",
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::GoModules => "gomod",
            Self::Maven => "maven",
            Self::Gradle => "gradle",
            Self::NuGet => "nuget",
            Self::Bundler => "bundler",
            Self::Composer => "composer",
            Self::Docker => "docker",
            Self::DockerCompose => "docker-compose",
            Self::Terraform => "terraform",
            Self::GitHubActions => "github-actions",
            Self::GitSubmodules => "gitsubmodule",
        }
    }

    /// Renovate's managers, any of which reads it.
    pub(crate) fn renovate(self) -> &'static [&'static str] {
        match self {
            Self::Cargo => &["cargo"],
            Self::Npm => &["npm"],
            Self::Bun => &["bun", "npm"],
            Self::Pip => &["pip_requirements", "pep621", "poetry", "pipenv", "pip_setup", "setup-cfg"],
            Self::Uv => &["pep621"],
            Self::GoModules => &["gomod"],
            Self::Maven => &["maven"],
            Self::Gradle => &["gradle"],
            Self::NuGet => &["nuget"],
            Self::Bundler => &["bundler"],
            Self::Composer => &["composer"],
            Self::Docker => &["dockerfile"],
            Self::DockerCompose => &["docker-compose"],
            Self::Terraform => &["terraform"],
            Self::GitHubActions => &["github-actions"],
            Self::GitSubmodules => &["git-submodules"],
        }
    }

    /// Whether its manifests name packages of a registry whose versions an advisory can name.
    pub(crate) fn has_packages(self) -> bool {
        !matches!(
            self,
            Self::Docker | Self::DockerCompose | Self::Terraform | Self::GitHubActions | Self::GitSubmodules
        )
    }
}

impl std::fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.dependabot())
    }
}
