import type { INamespace } from 'protobufjs';

/**
 * The part of ONNX's protobuf schema (onnx.proto, IR version 3 to 13) that carries a model: field names and numbers as
 * in the specification. What is not listed here survives a read and write as unknown fields only where protobufjs
 * keeps them; training information is dropped.
 */
const field = (id: number, type: string): { id: number; type: string } => ({ id, type });
const many = (
  id: number,
  type: string,
): { id: number; type: string; rule: 'repeated'; options: { packed: boolean } } => ({
  id,
  type,
  rule: 'repeated',
  options: { packed: false },
});
const packed = (id: number, type: string) => ({ id, type, rule: 'repeated' as const, options: { packed: true } });

export const ONNX_SCHEMA: INamespace = {
  nested: {
    onnx: {
      nested: {
        ModelProto: {
          fields: {
            irVersion: field(1, 'int64'),
            producerName: field(2, 'string'),
            producerVersion: field(3, 'string'),
            domain: field(4, 'string'),
            modelVersion: field(5, 'int64'),
            docString: field(6, 'string'),
            graph: field(7, 'GraphProto'),
            opsetImport: many(8, 'OperatorSetIdProto'),
            metadataProps: many(14, 'StringStringEntryProto'),
            functions: many(25, 'FunctionProto'),
          },
        },
        GraphProto: {
          fields: {
            node: many(1, 'NodeProto'),
            name: field(2, 'string'),
            initializer: many(5, 'TensorProto'),
            docString: field(10, 'string'),
            input: many(11, 'ValueInfoProto'),
            output: many(12, 'ValueInfoProto'),
            valueInfo: many(13, 'ValueInfoProto'),
            sparseInitializer: many(15, 'SparseTensorProto'),
          },
        },
        NodeProto: {
          fields: {
            input: many(1, 'string'),
            output: many(2, 'string'),
            name: field(3, 'string'),
            opType: field(4, 'string'),
            attribute: many(5, 'AttributeProto'),
            docString: field(6, 'string'),
            domain: field(7, 'string'),
          },
        },
        AttributeProto: {
          fields: {
            name: field(1, 'string'),
            f: field(2, 'float'),
            i: field(3, 'int64'),
            s: field(4, 'bytes'),
            t: field(5, 'TensorProto'),
            g: field(6, 'GraphProto'),
            floats: many(7, 'float'),
            ints: many(8, 'int64'),
            strings: many(9, 'bytes'),
            tensors: many(10, 'TensorProto'),
            graphs: many(11, 'GraphProto'),
            docString: field(13, 'string'),
            tp: field(14, 'TypeProto'),
            typeProtos: many(15, 'TypeProto'),
            type: field(20, 'int32'),
            refAttrName: field(21, 'string'),
            sparseTensor: field(22, 'SparseTensorProto'),
            sparseTensors: many(23, 'SparseTensorProto'),
          },
        },
        TensorProto: {
          fields: {
            dims: many(1, 'int64'),
            dataType: field(2, 'int32'),
            floatData: packed(4, 'float'),
            int32Data: packed(5, 'int32'),
            stringData: many(6, 'bytes'),
            int64Data: packed(7, 'int64'),
            name: field(8, 'string'),
            rawData: field(9, 'bytes'),
            doubleData: packed(10, 'double'),
            uint64Data: packed(11, 'uint64'),
            docString: field(12, 'string'),
            externalData: many(13, 'StringStringEntryProto'),
            dataLocation: field(14, 'int32'),
          },
        },
        SparseTensorProto: {
          fields: { values: field(1, 'TensorProto'), indices: field(2, 'TensorProto'), dims: many(3, 'int64') },
        },
        ValueInfoProto: {
          fields: { name: field(1, 'string'), type: field(2, 'TypeProto'), docString: field(3, 'string') },
        },
        TypeProto: {
          fields: {
            tensorType: field(1, 'TensorType'),
            sequenceType: field(4, 'SequenceType'),
            denotation: field(6, 'string'),
          },
          nested: {
            TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'TensorShapeProto') } },
            SequenceType: { fields: { elemType: field(1, 'TypeProto') } },
          },
        },
        TensorShapeProto: {
          fields: { dim: many(1, 'Dimension') },
          nested: {
            Dimension: {
              oneofs: { value: { oneof: ['dimValue', 'dimParam'] } },
              fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string'), denotation: field(3, 'string') },
            },
          },
        },
        StringStringEntryProto: { fields: { key: field(1, 'string'), value: field(2, 'string') } },
        OperatorSetIdProto: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
        FunctionProto: {
          fields: {
            name: field(1, 'string'),
            input: many(4, 'string'),
            output: many(5, 'string'),
            attribute: many(6, 'string'),
            node: many(7, 'NodeProto'),
            docString: field(8, 'string'),
            opsetImport: many(9, 'OperatorSetIdProto'),
            domain: field(10, 'string'),
            attributeProto: many(11, 'AttributeProto'),
          },
        },
      },
    },
  },
};
