//! Names of ECR's registries: account and region are in them, and with these where AWS is asked for a token.

use landfall_oci::Registry;

/// The partitions of AWS: the suffix of its services, that of the services with IPv6, those of its registries.
const PARTITIONS: [Partition; 7] = [
    Partition::new("amazonaws.com", "api.aws", Some("on.aws")),
    Partition::new(
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
        Some("on.amazonwebservices.com.cn"),
    ),
    Partition::new("amazonaws.eu", "api.amazonwebservices.eu", None),
    Partition::new("c2s.ic.gov", "api.aws.ic.gov", None),
    Partition::new("sc2s.sgov.gov", "api.aws.scloud", None),
    Partition::new("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", None),
    Partition::new("csp.hci.ic.gov", "api.aws.hci.ic.gov", None),
];

/// The public registry, and its name with IPv6.
const PUBLIC: [(&str, bool); 2] = [("public.ecr.aws", false), ("ecr-public.aws.com", true)];
/// The only region of the public registry's service that gives tokens.
const PUBLIC_REGION: &str = "us-east-1";

#[derive(Debug, PartialEq, Eq)]
struct Partition {
    suffix: &'static str,
    dual_suffix: &'static str,
    dual_registry: Option<&'static str>,
}

impl Partition {
    const fn new(
        suffix: &'static str,
        dual_suffix: &'static str,
        dual_registry: Option<&'static str>,
    ) -> Self {
        Self {
            suffix,
            dual_suffix,
            dual_registry,
        }
    }
}

/// A registry of ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EcrHost {
    /// Whose it is; `None`: the public one.
    pub(crate) account: Option<String>,
    pub(crate) region: String,
    pub(crate) fips: bool,
    /// Whether the name is one with IPv6.
    pub(crate) dual: bool,
    partition: &'static Partition,
}

/// Whether a registry is one of ECR's, private or public.
#[must_use]
pub fn is_ecr(registry: &Registry) -> bool {
    EcrHost::of(registry.as_str()).is_some()
}

impl EcrHost {
    /// Reads a registry's name. `None`: it is no registry of ECR.
    pub(crate) fn of(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(":443").unwrap_or(&host);
        if let Some((_, dual)) = PUBLIC.iter().find(|(name, _)| *name == host) {
            return Some(Self {
                account: None,
                region: PUBLIC_REGION.to_owned(),
                fips: false,
                dual: *dual,
                partition: &PARTITIONS[0],
            });
        }
        let (account, rest) = host.split_once('.')?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let rest = rest
            .strip_prefix("dkr.ecr")
            .or_else(|| rest.strip_prefix("dkr-ecr"))?;
        let (fips, rest) = match rest.strip_prefix("-fips") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (region, suffix) = rest.strip_prefix('.')?.split_once('.')?;
        let (partition, dual) = PARTITIONS.iter().find_map(|partition| match suffix {
            _ if suffix == partition.suffix => Some((partition, false)),
            _ if Some(suffix) == partition.dual_registry => Some((partition, true)),
            _ => None,
        })?;
        (is_account && is_region(region)).then(|| Self {
            account: Some(account.to_owned()),
            region: region.to_owned(),
            fips,
            dual,
            partition,
        })
    }

    /// The host that gives tokens for it, by the rules of AWS's own clients.
    pub(crate) fn api(&self, fips: bool, dual: bool) -> String {
        let (fips, dual) = (fips || self.fips, dual || self.dual);
        let service = if self.account.is_some() {
            "ecr"
        } else {
            "ecr-public"
        };
        let region = &self.region;
        let (suffix, dual_suffix) = (self.partition.suffix, self.partition.dual_suffix);
        match (fips, dual) {
            (false, false) => format!("api.{service}.{region}.{suffix}"),
            (true, false) => format!("api.{service}-fips.{region}.{suffix}"),
            (false, true) => format!("{service}.{region}.{dual_suffix}"),
            (true, true) => format!("{service}-fips.{region}.{dual_suffix}"),
        }
    }

    /// The host that gives roles, in `region` of the same partition.
    pub(crate) fn sts(&self, region: &str, fips: bool, dual: bool) -> String {
        let (fips, dual) = (fips || self.fips, dual || self.dual);
        // GovCloud's usual ones are such already.
        let fips = fips && (dual || !region.starts_with("us-gov-"));
        let service = if fips { "sts-fips" } else { "sts" };
        match dual {
            true => format!("{service}.{region}.{}", self.partition.dual_suffix),
            false => format!("{service}.{region}.{}", self.partition.suffix),
        }
    }

    /// Whether a region belongs to the same partition: credentials are valid within one only.
    pub(crate) fn shares_partition_with(&self, region: &str) -> bool {
        let group = |region: &str| {
            let groups = [
                "cn-", "us-gov-", "us-iso-", "us-isob-", "us-isof-", "eu-isoe-", "eusc-",
            ];
            groups.into_iter().find(|group| region.starts_with(group))
        };
        group(region) == group(&self.region)
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match &self.account {
            Some(account) => format!("account {account} in {}", self.region),
            None => "the public registry".to_owned(),
        }
    }
}

/// One label of a host's name, so that nothing can be smuggled into a URL with it.
pub(crate) fn is_region(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ecr(host: &str) -> EcrHost {
        EcrHost::of(host).unwrap_or_else(|| panic!("{host}"))
    }

    // Printed by AWS's client for Go (service/ecr 1.67.3, ecrpublic 1.47.9) for the region and the kind of the name.
    #[test]
    fn every_name_leads_to_its_region() {
        let cases = [
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "api.ecr.us-east-1.amazonaws.com",
            ),
            ("123456789012.dkr-ecr.us-west-2.on.aws", "ecr.us-west-2.api.aws"),
            (
                "123456789012.dkr-ecr-fips.us-west-2.on.aws",
                "ecr-fips.us-west-2.api.aws",
            ),
            (
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                "api.ecr-fips.us-east-1.amazonaws.com",
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "api.ecr-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "api.ecr.cn-north-1.amazonaws.com.cn",
            ),
            (
                "210987654321.dkr.ecr.cn-north-1.on.amazonwebservices.com.cn",
                "ecr.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                "210987654321.dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "api.ecr.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "api.ecr.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "api.ecr.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "api.ecr.us-isof-south-1.csp.hci.ic.gov",
            ),
            (
                "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "api.ecr.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "123456789012.DKR.ECR.EU-WEST-1.AMAZONAWS.COM:443",
                "api.ecr.eu-west-1.amazonaws.com",
            ),
            ("public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com"),
            ("ecr-public.aws.com", "ecr-public.us-east-1.api.aws"),
        ];
        for (host, api) in cases {
            assert_eq!(ecr(host).api(false, false), api, "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for host in [
            "docker.io",
            ".dkr.ecr.not-real.amazonaws.com",
            "12345678901.dkr.ecr.us-east-1.amazonaws.com",
            "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
            "a23456789012.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com.fake.example.com",
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com.fake.example.com",
            "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn.fake.example.com.cn",
            "210987654321.dkr.ecr.cn-north-1.on.aws.com.cn",
            "123456789012.dkr.ecr.evil.example.us-east-1.amazonaws.com",
            "123456789012.dkrXecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonawsXcom",
            "123456789012.dkr.ecr-.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.-x.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com:5000",
            "public.ecr.aws.example",
            "x.public.ecr.aws",
        ] {
            assert_eq!(EcrHost::of(host), None, "{host}");
        }
    }

    #[test]
    fn roles_are_asked_for_within_the_partition() {
        let plain = ecr("123456789012.dkr.ecr.us-east-1.amazonaws.com");
        assert_eq!(
            plain.sts("eu-west-1", false, false),
            "sts.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            plain.sts("eu-west-1", true, false),
            "sts-fips.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            plain.sts("us-gov-west-1", true, false),
            "sts.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            plain.sts("us-gov-west-1", true, true),
            "sts-fips.us-gov-west-1.api.aws"
        );
        let china = ecr("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn");
        assert_eq!(
            china.sts("cn-north-1", false, false),
            "sts.cn-north-1.amazonaws.com.cn"
        );
        assert!(china.shares_partition_with("cn-northwest-1"));
        assert!(!china.shares_partition_with("us-east-1"));
        assert!(!plain.shares_partition_with("us-gov-east-1"));
        assert!(plain.shares_partition_with("mx-central-1"));
    }
}
