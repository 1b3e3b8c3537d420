"""What each loss is and which paper it is from, readable without PyTorch."""

#: The first line of the docstring of each loss.
DESCRIPTIONS: dict[str, str] = {
    "ce": "Cross-entropy, -\\log p_y with p = softmax(z): the reference of every comparison.",
    "weighted_ce": "Cross-entropy weighted by normalised inverse class frequency, -\\omega_y\\log p_y.",
    "focal": "Focal loss, -\\alpha_y(1 - p_y)^\\gamma\\log p_y: easy samples count less.",
    "class_balanced": "Class-balanced loss: weights from the effective number of samples.",
    "ldam": "Label-distribution-aware margin: a cosine margin that is larger for rarer classes.",
    "balanced_softmax": "Balanced softmax: cross-entropy of z + log π.",
    "logit_adjusted": "Logit adjustment in training: cross-entropy of z + τ log π.",
    "vector_scaling": "Vector scaling: cross-entropy of Δ⊙z + ι.",
    "complement_ce": "Complement cross-entropy: raise the entropy of the wrong classes.",
    "awb": "AWB: class means weighted by batch frequency, plus each class's variation of its own probability.",
    "arcface": "Additive angular margin.",
    "cosface": "Additive cosine margin: cross-entropy of s·(cos θ_y - m).",
    "sphereface": "Multiplicative angular margin: cross-entropy of s·ψ(θ_y).",
    "adacos": "Scaled cosine softmax without a margin, whose scale follows from C or from the training.",
    "dal": "DAL: batch-adaptive angular margin and dynamically weighted cross-entropy.",
    "dbm": "DBM: an angular margin that grows with a class's rarity and a sample's difficulty.",
    "dbm_bs": "DBM-BS: DBM with balanced softmax's log π added to all scaled scores.",
    "asl": "ASL: negatives are focused more strongly than positives, and easy negatives cost nothing.",
    "asl_softmax": "ASL for single-label targets: log softmax with asymmetric focusing and label smoothing.",
    "apl": "APL: ASL with re-weighted leading terms in the expansion of the logarithm.",
    "alpa": "ALPA: rational approximants in place of the logarithms, asymmetrically focused.",
    "soft_f1": "One minus the macro average of soft F1.",
    "soft_mcc": "One minus the soft Matthews correlation coefficient.",
    "ce+soft_f1": "Cross-entropy plus soft F1.",
    "ce+soft_mcc": "Cross-entropy plus soft MCC.",
}

#: The paper of each loss.
PAPERS: dict[str, str] = {
    "ce": "the reference",
    "weighted_ce": "Scholz et al., Imbalance-Aware Loss Functions Improve Medical Image Classification, eq. 6",
    "focal": "Lin et al., 2017, Focal Loss for Dense Object Detection",
    "class_balanced": "Cui et al., 2019, Class-Balanced Loss Based on Effective Number of Samples",
    "ldam": "Cao et al., 2019, Learning Imbalanced Datasets with LDAM Loss",
    "balanced_softmax": "Ren et al., 2020, Balanced Meta-Softmax",
    "logit_adjusted": "Menon et al., 2021, Long-Tail Learning via Logit Adjustment",
    "vector_scaling": "Kini et al., 2021, Label-Imbalanced and Group-Sensitive Classification",
    "complement_ce": "Kim et al., 2021, Imbalanced Image Classification with Complement Cross Entropy",
    "awb": "Yue et al., 2023, Toward Multicenter Skin Lesion Classification",
    "arcface": "Deng et al., 2019, ArcFace",
    "cosface": "Wang et al., 2018, CosFace",
    "sphereface": "Liu et al., 2017, SphereFace",
    "adacos": "Zhang et al., 2019, AdaCos",
    "dal": "DAL: Dynamic Angular Loss for Imbalanced Medical Image Classification",
    "dbm": "DBM: Difficulty-aware Balancing Margin Loss",
    "dbm_bs": "DBM: Difficulty-aware Balancing Margin Loss, eq. 11",
    "asl": "Ridnik et al., 2021, Asymmetric Loss for Multi-Label Classification",
    "asl_softmax": "Ridnik et al., 2021, released code",
    "apl": "Huang et al., 2023, Asymmetric Polynomial Loss",
    "alpa": "ALPA: Asymmetric Loss with Padé Approximation",
    "soft_f1": "Scholz et al., Imbalance-Aware Loss Functions Improve Medical Image Classification",
    "soft_mcc": "Scholz et al., Imbalance-Aware Loss Functions Improve Medical Image Classification",
    "ce+soft_f1": "Scholz et al., Imbalance-Aware Loss Functions Improve Medical Image Classification",
    "ce+soft_mcc": "Scholz et al., Imbalance-Aware Loss Functions Improve Medical Image Classification",
}

#: Losses that papers compare with but nobody can build, with the reason.
UNAVAILABLE_LOSSES: dict[str, str] = {"pf": "not implemented: formula not public"}
