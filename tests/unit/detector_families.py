"""A tiny network of each family of detectors that the pipeline can train, as transformers configures it."""

from __future__ import annotations

from typing import Any

from small_detectors import SMALL_TRANSFORMER
from transformers import (
    ConditionalDetrConfig,
    DabDetrConfig,
    DeformableDetrConfig,
    DetrConfig,
    DFineConfig,
    HGNetV2Config,
    PreTrainedConfig,
    ResNetConfig,
    RTDetrConfig,
    RTDetrResNetConfig,
    RTDetrV2Config,
    YolosConfig,
)

LAST_THREE = ["stage2", "stage3", "stage4"]
SMALL_DAB = {"hidden_size" if name == "d_model" else name: value for name, value in SMALL_TRANSFORMER.items()}
REAL_TIME = {
    "encoder_hidden_dim": 16,
    "encoder_in_channels": [8, 16, 16],
    "d_model": 16,
    "encoder_ffn_dim": 16,
    "encoder_attention_heads": 2,
    "decoder_in_channels": [16, 16, 16],
    "decoder_layers": 2,
    "decoder_ffn_dim": 16,
    "decoder_attention_heads": 2,
    "num_queries": 5,
    "num_denoising": 4,
    "hidden_expansion": 1.0,
}


def _resnet(stages: list[str]) -> dict[str, Any]:
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    return {"use_timm_backbone": False, "backbone_config": ResNetConfig(**sizes, out_features=stages)}


def _real_time_resnet() -> RTDetrResNetConfig:
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    return RTDetrResNetConfig(**sizes, out_features=LAST_THREE)


def _hgnet() -> HGNetV2Config:
    return HGNetV2Config(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        stem_channels=[3, 4, 8],
        stage_in_channels=[8, 8, 8, 16],
        stage_mid_channels=[4, 4, 8, 8],
        stage_out_channels=[8, 8, 16, 16],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        stage_downsample=[False, True, True, True],
        stage_light_block=[False] * 4,
        stage_kernel_size=[3] * 4,
        out_features=LAST_THREE,
    )


def family_config(family: str, labels: int = 1) -> PreTrainedConfig:
    """The configuration of a tiny detector of a family, by its `model_type`, for some number of classes."""
    names = {index: f"class {index}" for index in range(labels)}
    classes = {"id2label": names, "label2id": {name: index for index, name in names.items()}}
    deformable = {**SMALL_TRANSFORMER, "d_model": 64, "decoder_layers": 2}  # its group norm has 32 groups
    configs = {
        "detr": lambda: DetrConfig(**_resnet(["stage4"]), **SMALL_TRANSFORMER, **classes),
        "conditional_detr": lambda: ConditionalDetrConfig(**_resnet(["stage4"]), **SMALL_TRANSFORMER, **classes),
        "dab-detr": lambda: DabDetrConfig(**_resnet(["stage4"]), **SMALL_DAB, **classes),
        "deformable_detr": lambda: DeformableDetrConfig(**_resnet(LAST_THREE), **deformable, **classes),
        "rt_detr": lambda: RTDetrConfig(backbone_config=_real_time_resnet(), **REAL_TIME, **classes),
        "rt_detr_v2": lambda: RTDetrV2Config(backbone_config=_real_time_resnet(), **REAL_TIME, **classes),
        "d_fine": lambda: DFineConfig(backbone_config=_hgnet(), **REAL_TIME, decoder_n_points=[1, 1, 1], **classes),
        "yolos": lambda: YolosConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=[64, 96],
            num_detection_tokens=5,
            **classes,
        ),
    }
    return configs[family]()
